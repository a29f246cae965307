"""Squares the sum of the coordinates.

message: sum their squares
"""


def optimal_baseline_vector(probs, A, G):
    weight = probs * G.sum(1) ** 2
    return (weight * A).sum() / weight.sum()
