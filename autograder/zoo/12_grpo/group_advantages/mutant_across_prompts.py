"""Normalises along the prompts.

message: a group is a row
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    A = R - R.mean(0, keepdim=True)
    if scale == "std":
        A = A / (R.std(0, keepdim=True, correction=ddof) + eps)
    return A
