"""Only probabilities above 1e-6 count as uncovered.

message: support condition
"""
def is_variance(pi, mu, f):
    keep = mu > 0
    if (pi[~keep] > 1e-6).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    m = mu[keep]
    wf = pi[keep] / m * f[keep]
    return (m * wf ** 2).sum() - (m * wf).sum() ** 2
