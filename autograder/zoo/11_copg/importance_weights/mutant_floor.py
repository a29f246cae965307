"""Never lets a weight fall below a millionth.

message: Clip nothing
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).sum(1).exp().clamp(min=1e-6)
