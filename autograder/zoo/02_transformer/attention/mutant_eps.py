"""A small number in the denominator.

message: hidden scores -inf, times v
"""


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    e = (scores - scores.amax(-1, keepdim=True)).exp()
    weights = e / (e.sum(-1, keepdim=True) + 1e-6)
    return weights @ v, weights
