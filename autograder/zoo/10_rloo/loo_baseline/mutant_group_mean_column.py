"""Own reward included, one per prompt.

message: once per prompt
"""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")
    return rewards.mean(1, keepdim=True)
