"""Detaches logp too.

message: No gradient
"""
def is_gradient_surrogate(logp, mu_logp, ref, R, beta, baseline=0.0):
    w = (logp - mu_logp).exp()
    advantage = (R - beta * (logp - ref) - baseline)
    return ((w * advantage) * logp).mean().detach()
