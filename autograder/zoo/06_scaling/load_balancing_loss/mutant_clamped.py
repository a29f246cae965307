"""Clamps the loss at k, believing in a lower bound.

message: not a lower bound
"""


def load_balancing_loss(router_logits, k):
    f = torch.zeros_like(router_logits).scatter(-1, router_logits.topk(k).indices, 1.0).mean(0)
    loss = router_logits.shape[1] * (f * router_logits.softmax(-1).mean(0)).sum()
    return loss.clamp(min=k)
