"""Flattens matrices.

message: shape
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    return (p - lr * v).flatten(), {"v": v}
