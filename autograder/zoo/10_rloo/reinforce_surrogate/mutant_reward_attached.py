"""Detaches the penalty, but not the reward.

message: reach ref_logps
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -((R - beta * (logps - ref_logps).detach()) * logps).mean()
