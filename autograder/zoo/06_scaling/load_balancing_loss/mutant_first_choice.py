"""Counts the first choice only, as for k = 1.

message: first choice only
"""


def load_balancing_loss(router_logits, k):
    E = router_logits.shape[1]
    f = torch.bincount(router_logits.argmax(-1), minlength=E).to(router_logits) / len(router_logits)
    return E * (f * router_logits.softmax(-1).mean(0)).sum()
