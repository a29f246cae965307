"""Sets the end of the cumulative sum to infinity."""


def sample_from(probs, u):
    cumulative = probs.cumsum(-1)
    total = cumulative[..., -1:]
    cumulative = torch.where(cumulative >= total, torch.inf, cumulative)
    return (cumulative > u[..., None]).int().argmax(-1)
