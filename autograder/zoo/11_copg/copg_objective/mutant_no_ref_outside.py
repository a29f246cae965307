"""Multiplies by ln pi.

message: reference is missing outside
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    return (R - R2 - beta / 2 * (h - h2)) * (logp - logp2)
