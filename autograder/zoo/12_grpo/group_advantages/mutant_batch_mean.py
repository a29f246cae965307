"""Subtracts the mean of the batch.

message: mean of the whole batch
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    A = R - R.mean()
    if scale == "std":
        A = A / (R.std(1, keepdim=True, correction=ddof) + eps)
    return A
