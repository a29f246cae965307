"""Caps beta at 10.

message: not capped
"""


def regularized_reward(R, a, b, beta):
    return R - min(beta, 10.0) * (a - b)
