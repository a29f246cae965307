"""Takes the number of prompts for K.

message: other K - 1 samples
"""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    return (rewards.sum(1, keepdim=True) - rewards) / max(len(rewards) - 1, 1)
