"""Forgets to divide.

message: forgot to divide
"""


def optimal_baseline_scalar(probs, A, g):
    return (probs * A * g**2).sum()
