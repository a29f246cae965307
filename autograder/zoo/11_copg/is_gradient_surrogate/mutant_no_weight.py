"""Plain policy gradient.

message: weight is missing
"""
def is_gradient_surrogate(logp, mu_logp, ref, R, beta, baseline=0.0):
    advantage = (R - beta * (logp - ref) - baseline)
    return (advantage.detach() * logp).mean()
