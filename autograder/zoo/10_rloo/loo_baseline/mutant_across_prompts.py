"""Leaves one prompt out.

message: within each row
"""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")
    return (rewards.sum(0, keepdim=True) - rewards) / max(len(rewards) - 1, 1)
