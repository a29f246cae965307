"""A Python float for the corner case.

message: tensor
"""
def is_variance(pi, mu, f):
    if ((mu == 0) & (pi > 0)).any():
        return float("inf")
    keep = mu > 0
    m = mu[keep]
    wf = pi[keep] / m * f[keep]
    return (m * wf ** 2).sum() - (m * wf).sum() ** 2
