"""Sums in vocabulary order.

message: Sort, keep the smallest number
"""


def top_p_filter(probs, p):
    kept = torch.where(probs.cumsum(-1) - probs < p, probs, 0.0)
    return kept / kept.sum(-1, keepdim=True)
