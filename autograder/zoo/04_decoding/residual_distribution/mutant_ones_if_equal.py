"""Ones for p = q.

message: any distribution
"""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0)
    total = excess.sum()
    return excess / total if total > 0 else torch.ones_like(p)
