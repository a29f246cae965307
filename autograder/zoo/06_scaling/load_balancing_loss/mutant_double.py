"""Computes f in float64, which changes the dtype of the loss.

message: dtype
"""


def load_balancing_loss(router_logits, k):
    f = torch.zeros_like(router_logits).scatter(-1, router_logits.topk(k).indices, 1.0).mean(0)
    return router_logits.shape[1] * (f.double() * router_logits.softmax(-1).mean(0)).sum()
