"""Leaves actions that pi avoids out and normalises mu again.

message: stays as it is
"""
def is_variance(pi, mu, f):
    if ((mu == 0) & (pi > 0)).any():
        return torch.tensor(float('inf'), dtype=pi.dtype)
    k = (mu > 0) & (pi > 0)
    pi, mu, f = pi[k], mu[k] / mu[k].sum(), f[k]
    return (pi ** 2 * f ** 2 / mu).sum() - (pi * f).sum() ** 2
