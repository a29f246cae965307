"""The other term only.

message: second of the two
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    return ((R2 - beta / 2 * h2) - (R - beta / 2 * h)) * h2
