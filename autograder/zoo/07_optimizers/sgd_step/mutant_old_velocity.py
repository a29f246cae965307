"""Steps with the old v.

message: used the old v
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    old = state["v"] if state else g
    return p - lr * old, {"v": v}
