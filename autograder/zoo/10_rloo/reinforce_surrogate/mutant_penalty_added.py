"""Adds the penalty to the reward.

message: penalty has the wrong sign
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -((R + beta * (logps - ref_logps)).detach() * logps).mean()
