"""f from the support of the gates."""


def load_balancing_loss(router_logits, k):
    f = (topk_gates(router_logits.detach(), k) > 0).to(router_logits.dtype).mean(0)
    P = router_logits.log_softmax(-1).exp().mean(0)
    return (f * P).sum() * router_logits.size(1)
