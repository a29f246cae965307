"""Keeps everything from p = 0.99 on.

message: only p = 1 keeps everything
"""


def top_p_filter(probs, p):
    ordered, index = probs.sort(-1, descending=True)
    kept = (ordered.cumsum(-1) - ordered < p) | (p >= 0.99)
    result = torch.zeros_like(probs).scatter(-1, index, ordered.where(kept, 0))
    return result / result.sum(-1, keepdim=True)
