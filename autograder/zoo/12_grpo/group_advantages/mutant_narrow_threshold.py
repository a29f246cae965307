"""Takes rewards within a millionth for equal.

message: not a threshold
"""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in ("std", "none"):
        raise ValueError("two completions and a known scale")
    R = rewards.detach()
    A = R - R.mean(1, keepdim=True)
    if scale == "std":
        A = A / (R.std(1, correction=ddof, keepdim=True) + eps)
    return A.masked_fill(R.amax(1, keepdim=True) - R.amin(1, keepdim=True) < 1e-6, 0.0)
