"""Clamps the denominator away from zero.

message: no clamp
"""


def optimal_baseline_scalar(probs, A, g):
    return (probs * A * g**2).sum() / (probs * g**2).sum().clamp(min=1e-3)
