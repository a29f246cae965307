"""Masks the losers with a number that is not small enough.

message: some negative number
"""


def topk_gates(s, k):
    mask = torch.zeros_like(s, dtype=torch.bool).scatter(-1, s.topk(k).indices, True)
    return s.masked_fill(~mask, -100.0).softmax(-1)
