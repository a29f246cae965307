"""Cov(A, g^2) / Var(g) + E[A]."""


def optimal_baseline_scalar(probs, A, g):
    mean, square = (probs * A).sum(), (probs * g**2).sum()
    cov = (probs * (A - mean) * (g**2 - square)).sum()
    return cov / square + mean
