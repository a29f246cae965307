"""Squares the score, but keeps the slide's denominator of squares twice.

message: weighs each reward
"""


def optimal_baseline_scalar(probs, A, g):
    return (probs * A * g**2).sum() / (probs * g**2).sum() ** 2
