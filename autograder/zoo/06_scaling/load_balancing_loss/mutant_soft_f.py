"""f from the probabilities: differentiable, and wrong.

message: f from the probabilities
"""


def load_balancing_loss(router_logits, k):
    P = router_logits.softmax(-1).mean(0)
    return router_logits.shape[1] * (P * P).sum()
