"""Keeps as many tokens as p times the vocabulary.

message: Sort, keep the smallest number
"""


def top_p_filter(probs, p):
    k = max(1, round(p * probs.shape[-1]))
    values, order = probs.topk(k, dim=-1)
    return torch.zeros_like(probs).scatter(-1, order, values / values.sum(-1, keepdim=True))
