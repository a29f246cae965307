"""Clamps rewards at 100.

message: nor is a reward
"""


def regularized_reward(R, a, b, beta):
    return R.clamp(-100, 100) - beta * (a - b)
