"""One loss per pair.

message: one number per pair
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    objective = copg_objective(logp, logp2, ref, ref2, R, R2, beta)
    return -objective
