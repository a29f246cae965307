"""Subtracts momentum * v.

message: subtracted momentum
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = g - momentum * state["v"] if state else g.clone()
    return p - lr * v, {"v": v}
