"""Divides the full sum by K - 1.

message: subtract the own reward first
"""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    return (
        (rewards.sum(1, keepdim=True) / (rewards.shape[1] - 1))
        .expand_as(rewards)
        .clone()
    )
