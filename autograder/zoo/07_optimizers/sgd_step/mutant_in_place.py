"""Changes p in place.

message: changed
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    p -= lr * v
    return p, {"v": v}
