"""Leaves uncovered actions out.

message: support condition
"""
def is_variance(pi, mu, f):
    w = torch.where(mu > 0, pi / mu.clamp(min=1e-300), torch.zeros_like(pi))
    return (mu * (w * f) ** 2).sum() - (mu * w * f).sum() ** 2
