"""A rate of 0 counts as missing: `lr or 0.01`.

message: a number like others
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    lr = lr or 0.01
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
