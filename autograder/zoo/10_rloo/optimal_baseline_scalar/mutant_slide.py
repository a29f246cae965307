"""The slide's formula.

message: slide's formula
"""


def optimal_baseline_scalar(probs, A, g):
    mean = (probs * A).sum()
    cov = (probs * (A - mean) * g).sum()
    return cov / (probs * g**2).sum() + mean
