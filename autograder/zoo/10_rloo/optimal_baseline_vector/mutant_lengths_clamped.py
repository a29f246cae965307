"""Clips long scores.

message: no clamp
"""


def optimal_baseline_vector(probs, A, G):
    weights = probs * (G**2).sum(1).clamp(max=100.0)
    return (weights * A).sum() / weights.sum()
