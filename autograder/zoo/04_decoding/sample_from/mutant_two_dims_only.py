"""Only understands vectors and matrices.

message: row by row
"""


def sample_from(probs, u):
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    out = torch.minimum(found, last)
    return out.flatten() if out.ndim > 1 else out
