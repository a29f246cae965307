"""Transposes the mask.

message: hidden scores -inf
"""


def attention(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        s = s.masked_fill(~mask.mT, -math.inf)
    w = s.softmax(-1)
    return w @ v, w
