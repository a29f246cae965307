"""Loses the dimension of a single token.

message: single token
"""


def load_balancing_loss(router_logits, k):
    T, E = router_logits.shape
    f = torch.bincount(router_logits.topk(k, -1).indices.flatten(), minlength=E)
    P = router_logits.softmax(-1).squeeze().mean(0)
    return E * (f.to(P.dtype) / T * P).sum()
