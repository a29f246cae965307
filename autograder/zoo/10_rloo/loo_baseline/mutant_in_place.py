"""Overwrites the rewards.

message: in place
"""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    total = rewards.sum(1, keepdim=True)
    rewards.neg_().add_(total).div_(rewards.shape[1] - 1)
    return rewards
