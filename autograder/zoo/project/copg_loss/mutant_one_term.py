"""Forgets the second completion's log-ratio.

message: Only one of the two terms
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    dR = rewards - rewards2
    return -((dR - beta / 2 * dh) * (logps - ref_logps.detach())).mean()
