"""r - K / (K - 1) (r - mean)."""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    K = rewards.shape[1]
    return rewards - K / (K - 1) * (rewards - rewards.mean(1, keepdim=True))
