"""The overlap.

message: positive part of p - q
"""


def residual_distribution(p, q):
    excess = torch.minimum(p, q)
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
