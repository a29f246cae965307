"""torch.var over the actions.

message: weighted equally
"""
def is_variance(pi, mu, f):
    keep = mu > 0
    if (pi[~keep] > 0).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    return (pi[keep] / mu[keep] * f[keep]).var()
