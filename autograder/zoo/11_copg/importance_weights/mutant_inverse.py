"""mu over pi.

message: inverted
"""
def importance_weights(logp, mu_logp):
    return (mu_logp - logp).sum(-1).exp()
