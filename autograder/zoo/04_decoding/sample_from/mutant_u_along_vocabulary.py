"""Broadcasts u along the vocabulary.

message: row by row
"""


def sample_from(probs, u):
    cumulative = probs.cumsum(-1)
    found = (cumulative <= (u if u.ndim and u.shape[-1] == probs.shape[-1] else u[..., None])).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.minimum(found, last)
