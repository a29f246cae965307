"""Adds noise to the scores before choosing.

message: however small the difference
"""


def topk_gates(s, k):
    _, chosen = (s + torch.rand_like(s) * 0.1).topk(k, dim=-1)
    best = s.gather(-1, chosen)
    return torch.zeros_like(s).scatter(-1, chosen, best.softmax(-1))
