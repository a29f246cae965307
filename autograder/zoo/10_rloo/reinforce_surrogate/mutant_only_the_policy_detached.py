"""Detaches logps, but not the reference.

message: reach ref_logps
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -((R - beta * (logps.detach() - ref_logps)) * logps).mean()
