"""Sums without probabilities.

message: left out the probabilities
"""


def optimal_baseline_vector(probs, A, G):
    weight = (G**2).sum(1)
    return (weight * A).sum() / weight.sum()
