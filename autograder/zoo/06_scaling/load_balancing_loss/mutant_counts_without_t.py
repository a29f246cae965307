"""f is a count, not a share.

message: number of tokens
"""


def load_balancing_loss(router_logits, k):
    f = torch.zeros_like(router_logits).scatter(-1, router_logits.topk(k).indices, 1.0).sum(0)
    return router_logits.shape[1] * (f * router_logits.softmax(-1).mean(0)).sum()
