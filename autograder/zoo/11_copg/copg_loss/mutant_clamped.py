"""Clamps the objective.

message: without clipping
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    l = copg_objective(logp, logp2, ref, ref2, R, R2, beta)
    return -l.clamp(-100, 100).mean()
