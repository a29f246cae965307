"""E_mu[w f^2].

message: not squared
"""
def is_variance(pi, mu, f):
    if ((mu == 0) & (pi > 0)).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    return (pi * f * f).sum() - (pi * f).sum() ** 2
