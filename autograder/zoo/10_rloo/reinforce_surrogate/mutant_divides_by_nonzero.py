"""Counts only samples with a coefficient.

message: when a coefficient is 0
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -(r * logps).sum() / (r != 0).sum().clamp(min=1)
