"""Exponentiates by hand.

message: exp overflows
"""


def attention(q, k, v, mask=None):
    e = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).exp()
    if mask is not None:
        e = e.masked_fill(~mask, 0.0)
    weights = e / e.sum(-1, keepdim=True)
    return weights @ v, weights
