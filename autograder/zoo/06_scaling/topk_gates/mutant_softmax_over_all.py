"""The softmax over all experts, masked and not renormalised.

message: without renormalising
"""


def topk_gates(s, k):
    p = s.softmax(-1)
    best, chosen = p.topk(k, dim=-1)
    return torch.zeros_like(s).scatter(-1, chosen, best)
