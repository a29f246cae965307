"""Breaks ties with a small preference for the first experts.

message: however small the difference
"""


def topk_gates(s, k):
    _, chosen = (s - 0.01 * torch.arange(s.shape[-1])).topk(k, dim=-1)
    best = s.gather(-1, chosen)
    return torch.zeros_like(s).scatter(-1, chosen, best.softmax(-1))
