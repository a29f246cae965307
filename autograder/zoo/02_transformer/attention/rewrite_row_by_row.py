"""One query at a time."""


def attention(q, k, v, mask=None):
    T, S = q.shape[-2], k.shape[-2]
    if mask is None:
        mask = torch.ones(T, S, dtype=torch.bool)
    mask = mask.expand(*q.shape[:-2], T, S)
    rows = []
    for t in range(T):
        scores = (q[..., t : t + 1, :] * k).sum(-1) / q.shape[-1] ** 0.5
        rows.append(scores.masked_fill(~mask[..., t, :], -math.inf).softmax(-1))
    weights = torch.stack(rows, dim=-2)
    return weights @ v, weights
