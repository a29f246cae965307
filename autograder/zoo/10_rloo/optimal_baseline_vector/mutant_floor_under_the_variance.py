"""Puts a floor of 1e-6 under the denominator.

message: no epsilon
"""


def optimal_baseline_vector(probs, A, G):
    n = (G**2).sum(1)
    return (probs * A * n).sum() / (probs * n).sum().clamp(min=1e-6)
