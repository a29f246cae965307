"""The log-ratio of the sample stands for the KL divergence, without a weight.

message: log-ratio has no weight
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    if kl is None:
        return (w * R - beta * (logp - ref)).mean()
    return (w * R - beta * kl).mean()
