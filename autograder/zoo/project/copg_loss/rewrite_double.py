"""Two dot products in float64."""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    dh = (logps - logps2).double() - (ref_logps - ref_logps2).detach().double()
    dR = (rewards - rewards2).double()
    return (0.5 * beta * torch.dot(dh, dh) - torch.dot(dR, dh)).div(len(dh)).to(logps.dtype)
