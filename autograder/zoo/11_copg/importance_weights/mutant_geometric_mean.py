"""Averages the log-ratios over the sequence.

message: averaged the log-ratios
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).mean(-1).exp()
