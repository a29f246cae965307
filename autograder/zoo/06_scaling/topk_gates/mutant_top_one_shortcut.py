"""For k = 1 it uses the softmax over all, as the Switch Transformer does.

message: renormalise
"""


def topk_gates(s, k):
    best, chosen = s.topk(k, dim=-1)
    gates = s.softmax(-1).max(-1, keepdim=True).values if k == 1 else best.softmax(-1)
    return torch.zeros_like(s).scatter(-1, chosen, gates)
