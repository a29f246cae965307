"""Forgets to divide.

message: forgot to divide
"""


def optimal_baseline_vector(probs, A, G):
    return (probs * A * (G**2).sum(1)).sum()
