"""Averages, also in the first step.

message: v = g
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state.get("v", 0.0) + (1 - momentum) * g
    return p - lr * v, {"v": v}
