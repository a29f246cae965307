"""Clips the weights at 100.

message: w (R_beta - b)
"""
def is_gradient_surrogate(logp, mu_logp, ref, R, beta, baseline=0.0):
    w = (logp - mu_logp).exp().clamp(max=100.0)
    r_beta = R - beta * (logp - ref)
    return ((w * (r_beta - baseline)).detach() * logp).mean()
