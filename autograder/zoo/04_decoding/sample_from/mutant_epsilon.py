"""Adds a small number to u.

message: precision
"""


def sample_from(probs, u):
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None] + 1e-9).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.minimum(found, last)
