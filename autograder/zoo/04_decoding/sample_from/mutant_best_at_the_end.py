"""At the upper end, the most probable token.

message: rounding leaves the last
"""


def sample_from(probs, u):
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.where(found > last, probs.argmax(-1), found)
