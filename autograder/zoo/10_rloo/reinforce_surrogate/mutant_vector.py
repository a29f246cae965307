"""Forgets the mean.

message: one scalar
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -(R - beta * (logps - ref_logps)).detach() * logps
