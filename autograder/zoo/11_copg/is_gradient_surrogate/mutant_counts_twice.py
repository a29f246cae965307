"""The weight is attached, and logp is there as well.

message: counts twice
"""
def is_gradient_surrogate(logp, mu_logp, ref, R, beta, baseline=0.0):
    w = (logp - mu_logp).exp()
    advantage = (R - beta * (logp - ref) - baseline)
    return (w * advantage.detach() * logp).mean()
