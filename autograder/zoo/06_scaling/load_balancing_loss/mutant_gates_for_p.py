"""P from the renormalised gates.

message: from the gates
"""


def load_balancing_loss(router_logits, k):
    gates = topk_gates(router_logits, k)
    f = (gates > 0).to(gates.dtype).mean(0)
    return router_logits.shape[1] * (f * gates.mean(0)).sum()
