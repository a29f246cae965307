"""Same value and same gradient, with the square written by hand."""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    gap = h - h2
    slope = (R - R2 - beta * gap).detach()
    value = ((R - R2 - beta / 2 * gap) * gap).detach()
    return value + slope * (gap - gap.detach())
