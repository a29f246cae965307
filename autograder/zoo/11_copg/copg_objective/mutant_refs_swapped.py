"""ref and ref2 are swapped.

message: references of the two
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref2, logp2 - ref
    return (R - R2 - beta / 2 * (h - h2)) * (h - h2)
