"""Keeps the least probable tokens.

message: Sort, keep the smallest number
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)
