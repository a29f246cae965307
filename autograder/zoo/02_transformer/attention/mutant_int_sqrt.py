"""Rounds the square root.

message: weights: softmax
"""


def attention(q, k, v, mask=None):
    s = q @ k.mT / int(q.shape[-1] ** 0.5)
    if mask is not None:
        s = s.masked_fill(~mask, -math.inf)
    w = s.softmax(-1)
    return w @ v, w
