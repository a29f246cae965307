"""Adds beta times the log-ratio to the loss as well.

message: added the penalty to the loss
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -(r * logps).mean() + 2 * beta * (logps - ref_logps).mean()
