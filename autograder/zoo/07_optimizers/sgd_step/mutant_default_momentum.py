"""The default momentum is .9.

message: default
"""


def sgd_step(p, g, state, lr, momentum=0.9):
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
