"""The second bracket is not reversed.

message: bracket is reversed
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    gap = R - R2 - beta / 2 * (h - h2)
    return gap * h + gap * h2
