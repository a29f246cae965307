"""Returns a Python float.

message: tensor
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    if kl is None:
        return float((w * (R - beta * (logp - ref))).mean())
    return float((w * R - beta * kl).mean())
