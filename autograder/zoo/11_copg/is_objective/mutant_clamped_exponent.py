"""Clamps the log-ratio of pi and mu to +-20 before the exponential.

message: clip nothing
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).clamp(-20.0, 20.0).exp()
    if kl is None:
        return (w * (R - beta * (logp - ref))).mean()
    return (w * R - beta * kl).mean()
