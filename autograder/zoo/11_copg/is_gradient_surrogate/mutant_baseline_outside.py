"""Subtracts the baseline outside the weight.

message: outside the weight
"""
def is_gradient_surrogate(logp, mu_logp, ref, R, beta, baseline=0.0):
    w = (logp - mu_logp).exp()
    return ((w * (R - beta * (logp - ref)) - baseline).detach() * logp).mean()
