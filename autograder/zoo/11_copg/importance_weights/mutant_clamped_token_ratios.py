"""Clamps every token log-ratio.

message: clip nothing
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).clamp(-5,5).sum(1).exp()
