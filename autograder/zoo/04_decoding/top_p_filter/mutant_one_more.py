"""Keeps one token too many.

message: one token more
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    count = (ordered.cumsum(-1) < p).sum(-1, keepdim=True) + 2
    kept = torch.where(torch.arange(probs.shape[-1]) < count, ordered, 0.0)
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)
