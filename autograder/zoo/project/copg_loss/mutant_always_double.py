"""Returns float64 whatever comes in.

message: dtype
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    dh = dh.double()
    return -((rewards - rewards2 - beta / 2 * dh) * dh).mean()
