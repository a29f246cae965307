"""Divides by p instead of by the sum.

message: Sort, keep the smallest number
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    kept = kept / p
    return torch.zeros_like(probs).scatter(-1, order, kept)
