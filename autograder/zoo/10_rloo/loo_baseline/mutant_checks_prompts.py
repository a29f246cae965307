"""Checks the number of prompts.

message: raise ValueError
"""


def loo_baseline(rewards):
    if rewards.shape[0] == 1 and rewards.shape[1] == 1:
        raise ValueError("one sample")
    return (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
