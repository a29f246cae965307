"""Keeps the gradient.

message: kept the gradient
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": g.clone()}
