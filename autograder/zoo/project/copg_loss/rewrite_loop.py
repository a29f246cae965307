"""Pair by pair."""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    total = 0.0
    for a, b, ra, rb, r, s in zip(logps, logps2, ref_logps.detach(), ref_logps2.detach(), rewards, rewards2):
        d = a - ra - b + rb
        total = total + beta / 2 * d * d - (r - s) * d
    return total / len(logps)
