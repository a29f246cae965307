"""Sums from the right.

message: first index whose cumulative sum
"""


def sample_from(probs, u):
    cumulative = probs.flip(-1).cumsum(-1)
    found = (cumulative <= u[..., None]).sum(-1).clamp(max=probs.shape[-1] - 1)
    return probs.shape[-1] - 1 - found
