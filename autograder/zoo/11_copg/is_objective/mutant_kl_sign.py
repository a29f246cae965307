"""Adds the KL term.

message: sign of the KL
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    if kl is None:
        return (w * (R + beta * (logp - ref))).mean()
    return (w * R + beta * kl).mean()
