"""Normalises over the batch.

message: normalised
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).sum(-1).softmax(-1)
