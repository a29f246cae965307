"""Hides zeros behind an epsilon.

message: support condition
"""
def is_variance(pi, mu, f):
    w = pi / (mu + 1e-12)
    return (mu * (w * f) ** 2).sum() - (mu * w * f).sum() ** 2
