"""Clamps the scores.

message: Large scores
"""


def attention(q, k, v, mask=None):
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).clamp(-50, 50)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)
    return weights @ v, weights
