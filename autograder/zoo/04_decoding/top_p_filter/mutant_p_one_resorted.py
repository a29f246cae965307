"""Treats p = 1 as a special case and forgets to normalise.

message: With p = 1
"""


def top_p_filter(probs, p):
    if p >= 1:
        return torch.ones_like(probs) / probs.shape[-1]
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)
