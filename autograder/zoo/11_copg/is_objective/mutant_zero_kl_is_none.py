"""Asks whether kl is true: an exact kl of 0 counts as none.

message: kl is None
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    if kl is None or not torch.any(kl):
        return (w * (R - beta * (logp - ref))).mean()
    return (w * R - beta * kl).mean()
