"""Treats R_beta as a constant.

message: R_beta is detached
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    if kl is None:
        return (w * (R - beta * (logp - ref)).detach()).mean()
    return (w * R - beta * kl).mean()
