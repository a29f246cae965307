"""Uses the size of the reward gap.

message: difference
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    dR = rewards - rewards2
    return -((dR.abs() - beta / 2 * dh) * dh).mean()
