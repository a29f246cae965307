"""f from the probabilities, scaled to sum to k.

message: f_e sum to k
"""


def load_balancing_loss(router_logits, k):
    P = router_logits.softmax(-1).mean(0)
    return router_logits.shape[1] * k * (P * P).sum()
