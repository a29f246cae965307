"""Ignores probabilities below a tenth.

message: first index whose cumulative sum
"""


def sample_from(probs, u):
    probs = torch.where(probs < 0.1, 0.0, probs)
    probs = probs / probs.sum(-1, keepdim=True)
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1])
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.minimum(found, last)
