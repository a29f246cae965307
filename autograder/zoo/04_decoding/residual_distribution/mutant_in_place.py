"""Subtracts in place.

message: changed one of its arguments
"""


def residual_distribution(p, q):
    p.sub_(q).clamp_(min=0)
    return p / p.sum() if p.sum() > 0 else torch.ones_like(p) / len(p)
