"""Divides by the number of completions.

message: number of completions
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    objective = copg_objective(logp, logp2, ref, ref2, R, R2, beta)
    return -objective.sum() / (2 * len(logp))
