"""Forgets the penalty.

message: forgot the KL penalty
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -(R * logps).mean()
