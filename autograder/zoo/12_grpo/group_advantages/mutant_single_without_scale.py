"""Raises for one completion only when it divides.

message: fewer than two
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if (rewards.shape[1] < 2 and scale == "std") or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    if R.shape[1] == 0:
        raise ValueError
    tie = R.amax(1, keepdim=True) == R.amin(1, keepdim=True)
    A = R - R.mean(1, keepdim=True)
    if scale == "std":
        A = A / (R.std(1, keepdim=True, correction=ddof) + eps)
    return A.masked_fill(tie, 0.0)
