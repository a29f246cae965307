"""Minimises minus the mean R_beta: only the penalty has a gradient.

message: differentiated only the reward
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -(R - beta * (logps - ref_logps)).mean()
