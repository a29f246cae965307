"""Writes into the dictionary it was given.

message: changed
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    state["v"] = v
    return p - lr * v, state
