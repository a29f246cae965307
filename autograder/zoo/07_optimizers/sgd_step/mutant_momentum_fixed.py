"""Momentum .9, always.

message: v = momentum * v + g
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = 0.9 * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
