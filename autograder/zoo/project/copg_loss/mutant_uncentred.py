"""Each completion with its own reward: not contrastive.

message: difference only
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    h, h2 = logps - ref_logps.detach(), logps2 - ref_logps2.detach()
    return -((rewards - beta / 2 * h) * h + (rewards2 - beta / 2 * h2) * h2).mean()
