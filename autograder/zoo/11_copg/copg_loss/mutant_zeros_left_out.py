"""Leaves pairs without an objective out of the mean.

message: every pair counts
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    l = copg_objective(logp, logp2, ref, ref2, R, R2, beta)
    return -l[l != 0].mean()
