"""Flattens a batch.

message: each row for itself
"""


def top_p_filter(probs, p):
    flat = probs.flatten()
    ordered, order = flat.sort(descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p * flat.sum(), ordered, 0.0)
    out = torch.zeros_like(flat).scatter(-1, order, kept).view_as(probs)
    return out / out.sum(-1, keepdim=True).clamp(min=1e-30)
