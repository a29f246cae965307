"""Adds weight decay.

message: v = momentum
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    g = g + 0.01 * p
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
