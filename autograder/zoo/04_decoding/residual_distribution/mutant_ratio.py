"""Positive part of p/q - 1.

message: positive part of p - q
"""


def residual_distribution(p, q):
    excess = (p / q.clamp(min=1e-30) - 1).clamp(min=0)
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
