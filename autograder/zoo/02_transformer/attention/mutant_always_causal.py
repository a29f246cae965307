"""A causal mask of its own.

message: without a mask every key is seen
"""


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    mask = torch.ones_like(scores).tril().bool()
    weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
    return weights @ v, weights
