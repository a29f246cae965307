"""Rounds to six decimals.

message: p = p - lr * v
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    return (p - lr * v).round(decimals=6), {"v": v}
