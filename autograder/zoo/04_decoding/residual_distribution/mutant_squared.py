"""Squares of the excess.

message: positive part of p - q
"""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0) ** 2
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
