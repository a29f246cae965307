"""Calls every small probability a zero.

message: a large number
"""
def is_variance(pi, mu, f):
    if ((mu < 1e-6) & (pi > 0)).any():
        return torch.tensor(float('inf'), dtype=pi.dtype)
    k = mu > 0
    pi, mu, f = pi[k], mu[k], f[k]
    return (pi ** 2 * f ** 2 / mu).sum() - (pi * f).sum() ** 2
