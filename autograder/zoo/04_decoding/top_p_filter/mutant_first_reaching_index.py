"""argmax of a comparison: nothing reaches 1.

message: With p = 1
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    k = (ordered.cumsum(-1) >= p).int().argmax(-1, keepdim=True)
    kept = torch.where(torch.arange(probs.shape[-1]) <= k, ordered, 0.0)
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)
