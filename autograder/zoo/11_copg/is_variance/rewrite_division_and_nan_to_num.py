"""Lets the division give inf, and turns 0/0 into 0."""
def is_variance(pi, mu, f):
    ratio = torch.nan_to_num(pi**2 * f**2 / mu, nan=0.0, posinf=float("inf"))
    return ratio.sum() - (pi * f).sum() ** 2
