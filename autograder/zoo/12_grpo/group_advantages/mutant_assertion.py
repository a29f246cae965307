"""Asserts instead of raising.

message: raises ValueError
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    assert rewards.shape[1] >= 2 and scale in ("std", "none")
    R = rewards.detach()
    tie = R.amax(1, keepdim=True) == R.amin(1, keepdim=True)
    A = R - R.mean(1, keepdim=True)
    if scale == "std":
        A = A / (R.std(1, keepdim=True, correction=ddof) + eps)
    return A.masked_fill(tie, 0.0)
