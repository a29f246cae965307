"""Clips, as PPO would.

message: clipped
"""
def importance_weights(logp, mu_logp):
    return (logp - mu_logp).sum(-1).exp().clamp(max=1.0)
