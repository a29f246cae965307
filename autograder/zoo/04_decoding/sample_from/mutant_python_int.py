"""Returns a Python int for a single distribution.

message: first token of positive probability
"""


def sample_from(probs, u):
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    out = torch.minimum(found, last)
    return out.item() if out.ndim == 0 else out
