"""Returns the sorted order.

message: undo the sort
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    kept = kept / kept.sum(-1, keepdim=True)
    return kept
