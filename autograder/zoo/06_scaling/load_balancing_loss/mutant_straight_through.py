"""Gives f a gradient with the straight-through trick.

message: constant count
"""


def load_balancing_loss(router_logits, k):
    p = router_logits.softmax(-1)
    hard = torch.zeros_like(p).scatter(-1, router_logits.topk(k).indices, 1.0)
    f = (hard + p - p.detach()).mean(0)
    return router_logits.shape[1] * (f * p.mean(0)).sum()
