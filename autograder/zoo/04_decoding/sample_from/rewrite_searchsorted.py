"""torch.searchsorted."""


def sample_from(probs, u):
    cumulative = probs.double().cumsum(-1)
    found = torch.searchsorted(cumulative, u.double()[..., None], right=True)[..., 0]
    last = probs.shape[-1] - 1 - (probs.flip(-1) > 0).int().argmax(-1)
    return torch.minimum(found, last)
