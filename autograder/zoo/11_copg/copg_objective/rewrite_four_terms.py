"""Equation 7, term by term."""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    r, r2 = R - beta / 2 * h, R2 - beta / 2 * h2
    return (r - r2) * h + (r2 - r) * h2
