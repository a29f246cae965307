"""A ratio, with an attached coefficient.

message: on-policy only
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    ratio = torch.exp(logps - logps.detach())
    return -((R - beta * (logps - ref_logps)) * ratio).mean()
