"""Masks after the softmax and renormalises, 0/0 where the future takes all.

message: a hidden score must be lower
"""


def attention(q, k, v, mask=None):
    w = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    if mask is not None:
        w = w * mask
        w = w / w.sum(-1, keepdim=True)
    return w @ v, w
