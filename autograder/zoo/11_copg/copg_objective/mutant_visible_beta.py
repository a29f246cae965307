"""The beta of the visible check.

message: beta is fixed
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    return (R - R2 - 0.25 * (h - h2)) * (h - h2)
