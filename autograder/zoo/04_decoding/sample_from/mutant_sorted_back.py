"""Sorts the probabilities, and returns the token.

message: first index whose cumulative sum
"""


def sample_from(probs, u):
    ordered, order = probs.sort(-1, descending=True)
    found = (ordered.cumsum(-1) <= u[..., None]).sum(-1, keepdim=True)
    found = found.clamp(max=probs.shape[-1] - 1)
    return order.gather(-1, found)[..., 0]
