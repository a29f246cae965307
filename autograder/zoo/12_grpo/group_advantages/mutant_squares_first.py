"""Variance as mean of squares minus square of the mean.

message: before you square
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R, G = rewards.detach(), rewards.shape[1]
    tie = R.amax(1, keepdim=True) == R.amin(1, keepdim=True)
    mean = R.mean(1, keepdim=True)
    A = R - mean
    if scale == "std":
        variance = ((R**2).mean(1, keepdim=True) - mean**2).clamp(min=0) * G / (G - ddof)
        A = A / (variance.sqrt() + eps)
    return A.masked_fill(tie, 0.0)
