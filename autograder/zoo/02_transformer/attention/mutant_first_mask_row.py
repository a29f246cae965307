"""Uses the mask of the first batch entry for all.

message: anything that can be broadcast
"""


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        while mask.ndim > 2:
            mask = mask[0]
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)
    return weights @ v, weights
