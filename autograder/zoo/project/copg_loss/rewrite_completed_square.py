"""The squared form minus its constant, over 2 beta."""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    dR = rewards - rewards2
    return (((dR - beta * dh) ** 2 - dR**2) / (2 * beta)).mean()
