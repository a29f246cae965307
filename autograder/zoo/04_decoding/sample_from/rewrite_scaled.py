"""Scales u by the last cumulative sum."""


def sample_from(probs, u):
    cumulative = probs.double().cumsum(-1)
    scaled = u.double() * cumulative[..., -1]
    return (cumulative > scaled[..., None]).int().argmax(-1)
