"""Multiplies token by token before averaging.

message: token by token
"""


def load_balancing_loss(router_logits, k):
    mask = torch.zeros_like(router_logits).scatter(-1, router_logits.topk(k).indices, 1.0)
    return router_logits.shape[1] * (mask * router_logits.softmax(-1)).sum(-1).mean()
