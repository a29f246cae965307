"""Clamps the difference of log-ratios, for stability.

message: nothing is clamped
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    dh = dh.clamp(-20, 20)
    return -((rewards - rewards2 - beta / 2 * dh) * dh).mean()
