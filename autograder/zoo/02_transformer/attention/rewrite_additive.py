"""An additive mask of 0 and -inf."""


def attention(q, k, v, mask=None):
    scores = q.matmul(k.mT) / q.shape[-1] ** 0.5
    if mask is not None:
        bias = torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, float("-inf"))
        scores = scores + bias
    weights = torch.nn.functional.softmax(scores, dim=-1)
    return weights.matmul(v), weights
