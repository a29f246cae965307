"""(q - p)+.

message: exchanged
"""


def residual_distribution(p, q):
    excess = (q - p).clamp(min=0)
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
