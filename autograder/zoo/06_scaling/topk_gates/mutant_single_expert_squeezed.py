"""Loses the dimension of a single expert.

message: single expert
"""


def topk_gates(s, k):
    best, chosen = s.topk(k, dim=-1)
    return torch.zeros_like(s).scatter(-1, chosen, best.softmax(-1)).squeeze(-1)
