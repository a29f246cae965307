"""For "none" the deviation is 1.

message: does nothing else
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    tie = R.amax(1, keepdim=True) == R.amin(1, keepdim=True)
    std = R.std(1, keepdim=True, correction=ddof) if scale == "std" else 1.0
    return ((R - R.mean(1, keepdim=True)) / (std + eps)).masked_fill(tie, 0.0)
