"""Sums steps: the learning rate is inside v.

message: learning rate into v
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + lr * g if state else lr * g
    return p - v, {"v": v}
