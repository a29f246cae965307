"""The squared form as in a regression.

message: mean over the pairs of the objective
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    return ((R - R2 - beta * (h - h2)) ** 2).mean()
