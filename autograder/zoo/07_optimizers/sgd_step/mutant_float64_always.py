"""Works in float64.

message: dtype
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    p, g = p.double(), g.double()
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
