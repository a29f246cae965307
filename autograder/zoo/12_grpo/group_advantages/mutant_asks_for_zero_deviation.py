"""Asks whether the deviation is 0.

message: ask whether the rewards are equal
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    A = R - R.mean(1, keepdim=True)
    if scale == "std":
        std = R.std(1, keepdim=True, correction=ddof)
        A = torch.where(std == 0, 0.0, A / (std + eps))
    return A
