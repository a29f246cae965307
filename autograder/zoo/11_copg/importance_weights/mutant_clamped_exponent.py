"""Clamps the exponent at 20.

message: clip nothing
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).sum(1).clamp(-20, 20).exp()
