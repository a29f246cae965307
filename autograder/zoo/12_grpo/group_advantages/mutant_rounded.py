"""Rounds to four decimals.

message: mean and deviation of the row
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    tie = R.amax(1, keepdim=True) == R.amin(1, keepdim=True)
    A = R - R.mean(1, keepdim=True)
    if scale == "std":
        A = A / (R.std(1, keepdim=True, correction=ddof) + eps)
    return A.masked_fill(tie, 0.0).round(decimals=4)
