"""Regresses A on the square: divides by Var(g^2).

message: weighs each reward
"""


def optimal_baseline_scalar(probs, A, g):
    mean, square = (probs * A).sum(), (probs * g**2).sum()
    cov = (probs * (A - mean) * (g**2 - square)).sum()
    return cov / (probs * (g**2 - square) ** 2).sum() + mean
