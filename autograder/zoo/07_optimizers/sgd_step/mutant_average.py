"""Averages the gradients.

message: You averaged
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + (1 - momentum) * g if state else g.clone()
    return p - lr * v, {"v": v}
