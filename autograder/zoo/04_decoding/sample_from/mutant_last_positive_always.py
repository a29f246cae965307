"""Zero u draws token 0, whatever it is.

message: u = 0 must not
"""


def sample_from(probs, u):
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.where(u == 0, 0, torch.minimum(found, last))
