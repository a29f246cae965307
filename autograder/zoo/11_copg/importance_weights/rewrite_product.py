"""Multiplies the ratios of the tokens."""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).exp().prod(-1)
