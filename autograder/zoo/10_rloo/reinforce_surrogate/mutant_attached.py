"""Does not detach.

message: coefficient is not detached
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -((R - beta * (logps - ref_logps)) * logps).mean()
