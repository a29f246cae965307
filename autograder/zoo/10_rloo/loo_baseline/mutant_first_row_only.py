"""The first prompt's baseline for all.

message: other K - 1 samples
"""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    first = (rewards[:1].sum(1, keepdim=True) - rewards[:1]) / (rewards.shape[1] - 1)
    return first.expand_as(rewards).clone()
