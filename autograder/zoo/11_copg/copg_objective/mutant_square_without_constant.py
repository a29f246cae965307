"""The squared form, without its constant.

message: without the constant
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    return -((R - R2 - beta * (h - h2)) ** 2) / (2 * beta)
