"""Scores in float32 at least, hidden in place, and cast back."""


def attention(q, k, v, mask=None):
    wide = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(wide) @ k.to(wide).mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores.masked_fill_(~mask, torch.finfo(wide).min)
    weights = scores.softmax(-1).to(q.dtype)
    return weights @ v, weights
