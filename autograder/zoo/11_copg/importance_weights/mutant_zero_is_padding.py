"""Masks every log-probability of 0.

message: not always padding
"""
def importance_weights(logp, mu_logp):
    real = (logp != 0) & (mu_logp != 0)
    return ((logp - mu_logp) * real).sum(-1).exp()
