"""Sums over the first dimension.

message: first index whose cumulative sum
"""


def sample_from(probs, u):
    cumulative = probs.cumsum(0)
    found = (cumulative <= u[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.minimum(found, last)
