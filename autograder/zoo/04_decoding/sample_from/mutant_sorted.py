"""Sorts the probabilities, and returns the rank.

message: first index whose cumulative sum
"""


def sample_from(probs, u):
    probs = probs.sort(-1, descending=True).values
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.minimum(found, last)
