"""Compares in float32.

message: precision
"""


def sample_from(probs, u):
    cumulative = probs.cumsum(-1)
    found = (cumulative.float() <= u.float()[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.minimum(found, last)
