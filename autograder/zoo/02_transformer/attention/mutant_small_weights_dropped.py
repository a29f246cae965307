"""Sets weights below a ten-thousandth to zero.

message: softmax over the keys
"""


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)
    weights = weights * (weights > 1e-4)
    return weights @ v, weights
