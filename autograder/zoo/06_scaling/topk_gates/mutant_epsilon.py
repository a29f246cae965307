"""Adds a small number to the denominator.

message: its k largest scores
"""


def topk_gates(s, k):
    best, chosen = s.softmax(-1).topk(k, dim=-1)
    return torch.zeros_like(s).scatter(-1, chosen, best / (best.sum(-1, keepdim=True) + 1e-6))
