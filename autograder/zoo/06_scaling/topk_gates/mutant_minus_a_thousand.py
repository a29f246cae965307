"""Masks the losers with -1000.

message: some negative number
"""


def topk_gates(s, k):
    mask = torch.zeros_like(s, dtype=torch.bool).scatter(-1, s.topk(k).indices, True)
    return s.masked_fill(~mask, -1000.0).softmax(-1)
