"""Keeps one ratio per token.

message: one number per completion
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).exp()
