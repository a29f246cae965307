"""Infinity times zero.

message: support condition
"""
def is_variance(pi, mu, f):
    w = torch.where((mu == 0) & (pi == 0), torch.zeros_like(pi), pi / mu)
    return (mu * (w * f) ** 2).sum() - (mu * w * f).sum() ** 2
