"""Lets the gradient into the reference.

message: detach
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps) - (logps2 - ref_logps2)
    return -((rewards - rewards2 - beta / 2 * dh) * dh).mean()
