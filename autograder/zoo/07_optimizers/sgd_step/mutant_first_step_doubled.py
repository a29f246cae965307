"""Starts v at g, and adds g.

message: v = g
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state.get("v", g) + g
    return p - lr * v, {"v": v}
