"""The square root.

message: standard deviation
"""
def is_variance(pi, mu, f):
    keep = mu > 0
    if (pi[~keep] > 0).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    m = mu[keep]
    wf = pi[keep] / m * f[keep]
    return ((m * wf ** 2).sum() - (m * wf).sum() ** 2).clamp(min=0).sqrt()
