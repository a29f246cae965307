"""Takes close distributions for equal.

message: only p = q is special
"""


def residual_distribution(p, q):
    if torch.allclose(p, q):
        return p.clone()
    excess = (p - q).clamp(min=0)
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
