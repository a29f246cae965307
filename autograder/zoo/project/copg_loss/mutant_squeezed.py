"""Squeezes away the batch, which a single pair does not survive.

message: raised TypeError
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    dh, dR = dh.squeeze(), (rewards - rewards2).squeeze()
    return -sum((r - beta / 2 * d) * d for r, d in zip(dR, dh)) / len(dh)
