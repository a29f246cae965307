"""Leaves out the reference.

message: reference is missing
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    d = logps - logps2
    return -((rewards - rewards2 - beta / 2 * d) * d).mean()
