"""Returns float64.

message: dtype
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    kept = kept / kept.sum(-1, keepdim=True)
    kept = kept.double()
    return torch.zeros_like(kept).scatter(-1, order, kept)
