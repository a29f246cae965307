"""Clamps the log-ratio at 100.

message: log-ratio
"""


def regularized_reward(R, a, b, beta):
    return R - beta * (a - b).clamp(-100, 100)
