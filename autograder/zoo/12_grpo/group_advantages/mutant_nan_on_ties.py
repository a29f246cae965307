"""0 / 0 when all rewards are equal.

message: exactly 0
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    A = R - R.mean(1, keepdim=True)
    if scale == "std":
        A = A / (R.std(1, keepdim=True, correction=ddof) + eps)
    return A
