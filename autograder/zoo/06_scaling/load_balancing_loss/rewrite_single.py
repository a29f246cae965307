"""Counts and probabilities in float32, like the library; the dtype is restored."""


def load_balancing_loss(router_logits, k):
    p = router_logits.float().softmax(-1)
    f = torch.zeros_like(p).scatter(-1, p.topk(k).indices, 1.0).mean(0)
    return (p.shape[1] * (f * p.mean(0)).sum()).to(router_logits.dtype)
