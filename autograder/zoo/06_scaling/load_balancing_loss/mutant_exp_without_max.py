"""A softmax by hand that overflows.

message: must not overflow
"""


def load_balancing_loss(router_logits, k):
    T, E = router_logits.shape
    e = router_logits.exp()
    P = (e / e.sum(-1, keepdim=True)).mean(0)
    f = torch.bincount(router_logits.topk(k, -1).indices.flatten(), minlength=E).to(e.dtype) / T
    return E * (f * P).sum()
