"""Through logarithms."""


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(k.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == False, -math.inf)
    weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
    return weights @ v, weights
