"""The surrogate whose gradient is right and whose value is not.

message: minus the mean
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    slope = (R - R2 - beta * (h - h2)).detach()
    return -(slope * (h - h2)).mean()
