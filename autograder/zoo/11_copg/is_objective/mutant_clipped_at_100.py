"""Clips the weights at 100.

message: clip nothing
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp().clamp(max=100.0)
    if kl is None:
        return (w * (R - beta * (logp - ref))).mean()
    return (w * R - beta * kl).mean()
