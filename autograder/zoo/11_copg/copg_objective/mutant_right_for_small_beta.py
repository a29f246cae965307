"""Clamps beta at 1.

message: l = 
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    beta = min(beta, 1.0)
    return (R - R2 - beta / 2 * (h - h2)) * (h - h2)
