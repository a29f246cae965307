"""Computes in float32.

message: dtype
"""
def importance_weights(logp, mu_logp):
    return (logp.float() - mu_logp.float()).sum(-1).exp()
