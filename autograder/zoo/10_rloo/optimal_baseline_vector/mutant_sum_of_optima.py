"""Sums the optima of the coordinates.

message: summed the optimal
"""


def optimal_baseline_vector(probs, A, G):
    return (
        (probs[:, None] * A[:, None] * G**2).sum(0) / (probs[:, None] * G**2).sum(0)
    ).sum()
