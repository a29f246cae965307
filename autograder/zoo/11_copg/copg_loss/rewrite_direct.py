"""Written out."""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    gap = h - h2
    return (beta / 2 * gap * gap - (R - R2) * gap).mean()
