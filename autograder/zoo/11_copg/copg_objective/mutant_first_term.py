"""One term only.

message: first of the two
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    return ((R - beta / 2 * h) - (R2 - beta / 2 * h2)) * h
