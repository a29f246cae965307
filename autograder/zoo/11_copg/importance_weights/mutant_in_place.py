"""Subtracts into its argument.

message: change
"""
def importance_weights(logp, mu_logp):
    logp -= mu_logp
    return logp.sum(-1).exp()
