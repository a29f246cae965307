"""Calls a small deviation a tie.

message: not a threshold
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    A = R - R.mean(1, keepdim=True)
    std = R.std(1, keepdim=True, correction=ddof)
    if scale == "std":
        A = A / (std + eps)
    return torch.where(std < 1e-5, 0.0, A)
