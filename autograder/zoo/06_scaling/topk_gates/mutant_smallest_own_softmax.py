"""Chooses the k smallest scores with largest=False.

message: smallest
"""


def topk_gates(s, k):
    best, chosen = s.topk(k, dim=-1, largest=False)
    return torch.zeros_like(s).scatter(-1, chosen, best.softmax(-1))
