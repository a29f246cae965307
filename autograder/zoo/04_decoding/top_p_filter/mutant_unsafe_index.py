"""Looks up the token that crosses, also where none does.

message: raised
"""


def top_p_filter(probs, p):
    ordered = probs.sort(dim=-1, descending=True).values
    k = (ordered.cumsum(-1) < p).sum(-1, keepdim=True)
    kept = probs * (probs >= ordered.gather(-1, k))
    return kept / kept.sum(-1, keepdim=True)
