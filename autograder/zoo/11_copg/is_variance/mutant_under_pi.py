"""Takes the squares under pi.

message: samples come from mu
"""
def is_variance(pi, mu, f):
    keep = mu > 0
    if (pi[~keep] > 0).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    wf = pi[keep] / mu[keep] * f[keep]
    return (pi[keep] * wf ** 2).sum() - (pi * f).sum() ** 2
