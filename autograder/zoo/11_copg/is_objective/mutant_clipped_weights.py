"""Clips the weights at 1.

message: R_beta
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp().clamp(max=1.0)
    if kl is None:
        return (w * (R - beta * (logp - ref))).mean()
    return (w * R - beta * kl).mean()
