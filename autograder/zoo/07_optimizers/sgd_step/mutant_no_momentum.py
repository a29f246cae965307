"""Ignores the momentum.

message: left the momentum out
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = g.clone()
    return p - lr * v, {"v": v}
