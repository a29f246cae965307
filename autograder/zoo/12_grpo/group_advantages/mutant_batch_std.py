"""Divides by the deviation of the batch.

message: deviation of the whole batch
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    A = R - R.mean(1, keepdim=True)
    tie = R.amax(1, keepdim=True) == R.amin(1, keepdim=True)
    if scale == "std":
        A = A / (R.std(correction=ddof) + eps)
    return A.masked_fill(tie, 0.0)
