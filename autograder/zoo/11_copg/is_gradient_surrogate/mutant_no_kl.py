"""Leaves out the KL term.

message: KL term is missing
"""
def is_gradient_surrogate(logp, mu_logp, ref, R, beta, baseline=0.0):
    w = (logp - mu_logp).exp()
    return ((w * (R - baseline)).detach() * logp).mean()
