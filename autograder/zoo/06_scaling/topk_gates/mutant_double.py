"""Always returns float64.

message: dtype of s
"""


def topk_gates(s, k):
    best, chosen = s.double().topk(k, dim=-1)
    return torch.zeros_like(s.double()).scatter(-1, chosen, best.softmax(-1))
