"""Policy gradient on the pair: the gradient is right, but the value is that of beta.

message: beta, not beta / 2
"""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    coefficient = (rewards - rewards2 - beta * dh).detach()
    return -(coefficient * dh).mean()
