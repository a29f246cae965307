"""Keeps using the first learning rate, through v.

message: sum of gradients, not of steps
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + lr * g if state else lr * g
    return p - v, {"v": v}
