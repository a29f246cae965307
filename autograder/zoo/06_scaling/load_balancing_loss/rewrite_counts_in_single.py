"""The shares are float32 because integers are divided."""


def load_balancing_loss(router_logits, k):
    T, E = router_logits.shape
    f = torch.bincount(router_logits.topk(k).indices.flatten(), minlength=E) / T
    return E * (f * router_logits.softmax(-1).mean(0)).sum()
