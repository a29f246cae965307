"""Sums over outcomes when the matrix is square.

message: row y is g(y)
"""


def optimal_baseline_vector(probs, A, G):
    square = G.shape[0] == G.shape[1]
    weights = probs * (G**2).sum(0 if square else 1)
    return (weights * A).sum() / weights.sum()
