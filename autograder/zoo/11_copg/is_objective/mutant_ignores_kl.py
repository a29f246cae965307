"""Always uses the log-ratio, with its weight.

message: With kl
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    return (w * (R - beta * (logp - ref))).mean()
