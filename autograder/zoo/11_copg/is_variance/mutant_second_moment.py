"""Does not subtract the squared mean.

message: not subtracted
"""
def is_variance(pi, mu, f):
    if ((mu == 0) & (pi > 0)).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    keep = mu > 0
    return ((pi[keep] * f[keep]) ** 2 / mu[keep]).sum()
