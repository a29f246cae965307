"""Weights with the length.

message: square it
"""


def optimal_baseline_vector(probs, A, G):
    weight = probs * G.norm(dim=1)
    return (weight * A).sum() / weight.sum()
