"""Detaches the logps as well.

message: must be -R_beta
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -(r * logps.detach()).mean()
