"""Divides by K.

message: not by K
"""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")
    return (rewards.sum(1, keepdim=True) - rewards) / rewards.shape[1]
