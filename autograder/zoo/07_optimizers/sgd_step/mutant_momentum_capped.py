"""Takes no momentum above .95.

message: torch.optim.SGD
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    momentum = min(momentum, 0.95)
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
