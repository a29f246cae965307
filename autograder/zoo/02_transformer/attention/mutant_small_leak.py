"""Hidden keys keep a tiny weight.

message: hidden key is exactly 0
"""


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -60.0)
    weights = scores.softmax(-1)
    return weights @ v, weights
