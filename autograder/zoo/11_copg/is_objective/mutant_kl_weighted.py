"""Weights the exact KL as well.

message: not weighted
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    penalty = logp - ref if kl is None else kl
    return (w * (R - beta * penalty)).mean()
