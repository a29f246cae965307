"""Writes zeros into its argument.

message: changed one of its arguments
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    cut = torch.zeros_like(probs).scatter(-1, order, (before >= p).to(probs.dtype))
    probs[cut > 0] = 0
    return probs / probs.sum(-1, keepdim=True)
