"""Weights with the absolute value.

message: absolute value of g
"""


def optimal_baseline_scalar(probs, A, g):
    weight = probs * g.abs()
    return (weight * A).sum() / weight.sum()
