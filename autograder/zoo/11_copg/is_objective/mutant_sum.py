"""Sums over the samples.

message: summed
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    if kl is None:
        return (w * (R - beta * (logp - ref))).sum()
    return (w * R - beta * kl).sum()
