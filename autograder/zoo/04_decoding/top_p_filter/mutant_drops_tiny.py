"""Drops probabilities below 1e-9, also at p = 1.

message: however rare
"""


def top_p_filter(probs, p):
    ordered, index = probs.sort(-1, descending=True)
    kept = (ordered.cumsum(-1) - ordered < p) & (ordered > 1e-9)
    kept = kept | (ordered > 1e-9) if p >= 1 else kept
    result = torch.zeros_like(probs).scatter(-1, index, ordered.where(kept, 0))
    return result / result.sum(-1, keepdim=True)
