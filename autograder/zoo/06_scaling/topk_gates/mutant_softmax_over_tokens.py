"""The softmax runs over the tokens.

message: over the tokens
"""


def topk_gates(s, k):
    mask = torch.zeros_like(s).scatter(-1, s.topk(k).indices, 1.0)
    return s.softmax(0) * mask
