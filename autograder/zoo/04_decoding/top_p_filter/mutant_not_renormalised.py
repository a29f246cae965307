"""Does not renormalise.

message: forgot to renormalise
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    return torch.zeros_like(probs).scatter(-1, order, kept)
