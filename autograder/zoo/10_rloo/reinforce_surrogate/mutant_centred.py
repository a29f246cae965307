"""Subtracts the batch mean.

message: subtracted a baseline
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -((r - r.mean()) * logps).mean()
