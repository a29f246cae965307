"""No reference at all.

message: reference is missing everywhere
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    gap = logp - logp2
    return (R - R2 - beta / 2 * gap) * gap
