"""Regression of A g on g."""


def optimal_baseline_scalar(probs, A, g):
    product, score = (probs * A * g).sum(), (probs * g).sum()
    cov = (probs * (A * g - product) * (g - score)).sum()
    return cov / (probs * (g - score) ** 2).sum()
