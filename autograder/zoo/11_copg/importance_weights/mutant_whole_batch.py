"""One weight for the whole batch.

message: one number per completion
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).sum().exp()
