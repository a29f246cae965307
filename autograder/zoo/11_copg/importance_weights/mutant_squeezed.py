"""Squeezes the batch dimension away.

message: single completion
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).sum(1).exp().squeeze()
