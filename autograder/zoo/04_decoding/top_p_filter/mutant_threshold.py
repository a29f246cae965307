"""Keeps tokens with probability of at least 1 - p.

message: Sort, keep the smallest number
"""


def top_p_filter(probs, p):
    kept = torch.where(probs >= 1 - p, probs, 0.0)
    return kept / kept.sum(-1, keepdim=True)
