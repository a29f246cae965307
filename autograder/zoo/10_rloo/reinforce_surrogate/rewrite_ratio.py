"""The same gradient through a ratio of value one."""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -(r * torch.exp(logps - logps.detach())).mean()
