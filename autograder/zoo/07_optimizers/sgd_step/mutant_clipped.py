"""Clips the gradient to norm 1e6.

message: not clipped
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    g = g * min(1.0, 1e6 / (float(g.norm()) + 1e-300))
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
