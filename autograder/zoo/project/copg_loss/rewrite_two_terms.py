"""The lecture's two terms with the regularised rewards."""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    h, h2 = logps - ref_logps.detach(), logps2 - ref_logps2.detach()
    r, r2 = rewards - beta / 2 * h, rewards2 - beta / 2 * h2
    return -((r - r2) * h + (r2 - r) * h2).mean()
