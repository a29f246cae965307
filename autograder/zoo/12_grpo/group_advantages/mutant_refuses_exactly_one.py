"""Asks whether G is 1.

message: fewer than two
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] == 1 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    tie = (R == R[:, :1]).all(1, keepdim=True) if R.shape[1] else torch.zeros(len(R), 1).bool()
    A = R - R.mean(1, keepdim=True)
    if scale == "std":
        A = A / (R.std(1, keepdim=True, correction=ddof) + eps)
    return A.masked_fill(tie, 0.0)
