"""Leaves v alone when momentum is 0.

message: the new one is g
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    if momentum == 0:
        return p - lr * g, {"v": state.get("v", g.clone())}
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
