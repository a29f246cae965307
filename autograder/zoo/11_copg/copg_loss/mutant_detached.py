"""Detaches R_{beta/2}.

message: is detached
"""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    gap = (R - R2 - beta / 2 * (h - h2)).detach()
    return -(gap * (h - h2)).mean()
