"""Multiplies with a matrix of weights."""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    K = rewards.shape[1]
    weights = (1 - torch.eye(K, dtype=rewards.dtype)) / (K - 1)
    return rewards @ weights
