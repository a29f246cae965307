"""exp of the scores, without subtracting the maximum.

message: overflow
"""


def topk_gates(s, k):
    mask = torch.zeros_like(s).scatter(-1, s.topk(k).indices, 1.0)
    e = s.exp() * mask
    return e / e.sum(-1, keepdim=True)
