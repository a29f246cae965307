"""Caps the advantages at ten deviations.

message: nothing caps it
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError("two completions and a known scale")
    R = rewards.detach()
    A = R - R.mean(1, keepdim=True)
    if scale == "std":
        A = (A / (R.std(1, correction=ddof, keepdim=True) + eps)).clamp(-10, 10)
    return A.masked_fill((R == R[:, :1]).all(1, keepdim=True), 0.0)
