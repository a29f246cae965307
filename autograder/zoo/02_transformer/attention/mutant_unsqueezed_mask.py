"""Takes a mask [B, T, S] for one without heads.

message: broadcast to
"""


def attention(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        if mask.ndim == 3:
            mask = mask[:, None]
        s = s.masked_fill(~mask, -math.inf)
    w = s.softmax(-1)
    return w @ v, w
