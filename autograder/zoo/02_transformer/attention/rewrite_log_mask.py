"""Adds the logarithm of the mask: 0 or -inf."""


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores + mask.to(q.dtype).log()
    weights = scores.softmax(-1)
    return weights @ v, weights
