"""Changes the rewards.

message: changed
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError
    R = rewards.detach()
    tie = R.amax(1, keepdim=True) == R.amin(1, keepdim=True)
    std = R.std(1, keepdim=True, correction=ddof)
    R -= R.mean(1, keepdim=True)
    if scale == "std":
        R /= std + eps
    return R.masked_fill(tie, 0.0)
