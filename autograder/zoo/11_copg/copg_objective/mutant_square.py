"""The squared form, without factor.

message: without its factor
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    gap = R - R2
    return gap**2 - (gap - beta * (h - h2)) ** 2
