"""Divides by n - 1.

message: minus the mean
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    objective = copg_objective(logp, logp2, ref, ref2, R, R2, beta)
    return -objective.sum() / max(len(logp) - 1, 1)
