"""Averages the ratios over the real tokens only.

message: real tokens
"""
def importance_weights(logp, mu_logp):
    real = (logp != 0) | (mu_logp != 0)
    return ((logp - mu_logp).exp() * real).sum(-1) / real.sum(-1)
