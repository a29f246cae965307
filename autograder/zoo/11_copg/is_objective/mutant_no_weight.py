"""Forgets the weight.

message: weight is missing
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    penalty = logp - ref if kl is None else kl
    return (R - beta * penalty).mean()
