"""Computes in float64 whatever comes in.

message: dtype of logps
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -(r.double() * logps.double()).mean()
