"""Keeps u away from 0.

message: nothing is to be clipped
"""


def sample_from(probs, u):
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None].clamp(min=1e-6)).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.minimum(found, last)
