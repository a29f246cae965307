"""The squared form with its constant."""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    gap = R - R2
    return (((gap - beta * (h - h2)) ** 2).mean() - (gap**2).mean()) / (2 * beta)
