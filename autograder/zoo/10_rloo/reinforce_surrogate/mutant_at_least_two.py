"""Divides a batch of one by two.

message: also when B = 1
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -(r * logps).sum() / max(len(R), 2)
