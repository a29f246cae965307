"""Forgets the minus.

message: minus sign is missing
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    objective = copg_objective(logp, logp2, ref, ref2, R, R2, beta)
    return objective.mean()
