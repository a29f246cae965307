"""Averages the optima of the coordinates.

message: averaged the optimal baselines
"""


def optimal_baseline_vector(probs, A, G):
    each = (probs[:, None] * A[:, None] * G**2).sum(0) / (probs[:, None] * G**2).sum(0)
    return each.mean()
