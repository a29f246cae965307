"""Refuses one sample, but not none.

message: K = 0 included
"""


def loo_baseline(rewards):
    if rewards.shape[1] == 1:
        raise ValueError("K must be at least 2")
    return (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
