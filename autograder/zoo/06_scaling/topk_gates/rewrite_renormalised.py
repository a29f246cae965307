"""Full softmax, masked, renormalised."""


def topk_gates(s, k):
    p = s.softmax(-1)
    best, chosen = p.topk(k, dim=-1)
    return torch.zeros_like(s).scatter(-1, chosen, best / best.sum(-1, keepdim=True))
