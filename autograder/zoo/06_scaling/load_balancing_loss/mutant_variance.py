"""The squared coefficient of variation of the load instead.

message: E times the sum
"""


def load_balancing_loss(router_logits, k):
    load = router_logits.softmax(-1).sum(0)
    return load.var(unbiased=False) / load.mean() ** 2 + k
