"""Pair by pair."""
def copg_loss(logp, logp2, ref, ref2, R, R2, beta):
    total = 0.0
    for i in range(len(logp)):
        h, h2 = logp[i] - ref[i], logp2[i] - ref2[i]
        r, r2 = R[i] - beta / 2 * h, R2[i] - beta / 2 * h2
        total = total + (r - r2) * h + (r2 - r) * h2
    return -total / len(logp)
