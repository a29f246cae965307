"""Scales every parameter to variance one first.

message: squared length
"""


def optimal_baseline_vector(probs, A, G):
    G = G / (probs[:, None] * G**2).sum(0).sqrt()
    weight = probs * (G**2).sum(1)
    return (weight * A).sum() / weight.sum()
