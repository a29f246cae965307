"""Adds a step counter to the state.

message: no more and no less
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v, "t": state.get("t", 0) + 1}
