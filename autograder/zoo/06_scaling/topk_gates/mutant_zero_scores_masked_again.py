"""Zeroed scores, and the losers removed afterwards.

message: before the softmax
"""


def topk_gates(s, k):
    mask = torch.zeros_like(s).scatter(-1, s.topk(k).indices, 1.0)
    return (s * mask).softmax(-1) * mask
