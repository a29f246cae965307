"""The mask after the softmax.

message: after the softmax
"""


def attention(q, k, v, mask=None):
    weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
    if mask is not None:
        weights = weights * mask
    return weights @ v, weights
