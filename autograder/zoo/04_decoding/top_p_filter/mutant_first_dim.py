"""Works along the first dimension.

message: along the last dimension
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=0, descending=True)
    before = ordered.cumsum(0) - ordered
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    kept = kept / kept.sum(0, keepdim=True)
    return torch.zeros_like(probs).scatter(0, order, kept)
