"""beta / 2 multiplies the rewards.

message: multiplies the rewards
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    dR = rewards - rewards2
    return -((beta / 2 * dR - dh) * dh).mean()
