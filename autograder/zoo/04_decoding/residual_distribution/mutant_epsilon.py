"""Adds 1e-8 to the sum.

message: no small number
"""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0)
    return (excess + 1e-300) / (excess.sum() + 1e-10) if excess.sum() > 0 else p.clone()
