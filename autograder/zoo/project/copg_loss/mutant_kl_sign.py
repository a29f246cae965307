"""Adds the KL term.

message: sign of the KL term
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    dR = rewards - rewards2
    return -((dR + beta / 2 * dh) * dh).mean()
