"""Averages the ratios of the tokens.

message: average
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).exp().mean(-1)
