"""The gradient of the first completion only.

message: R_beta(y_i
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    h2 = h2.detach()
    return -((R - R2 - beta / 2 * (h - h2)) * (h - h2)).mean()
