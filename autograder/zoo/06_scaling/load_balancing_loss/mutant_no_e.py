"""Leaves out the factor E.

message: factor E
"""


def load_balancing_loss(router_logits, k):
    f = torch.zeros_like(router_logits).scatter(-1, router_logits.topk(k).indices, 1.0).mean(0)
    return (f * router_logits.softmax(-1).mean(0)).sum()
