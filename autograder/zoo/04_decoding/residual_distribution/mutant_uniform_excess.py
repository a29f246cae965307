"""Uniform over tokens with excess.

message: positive part of p - q
"""


def residual_distribution(p, q):
    excess = (p > q).to(p.dtype)
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
