"""Exponentiates each sum before dividing.

message: underflow
"""
def importance_weights(logp, mu_logp):
    return logp.sum(-1).exp() / mu_logp.sum(-1).exp()
