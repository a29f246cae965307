"""Forgets beta.

message: forgot beta
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -((R - (logps - ref_logps)).detach() * logps).mean()
