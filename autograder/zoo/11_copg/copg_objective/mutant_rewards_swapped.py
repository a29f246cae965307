"""R and R2 are swapped.

message: rewards of the two
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    return (R2 - R - beta / 2 * (h - h2)) * (h - h2)
