"""Returns an empty state when momentum is 0.

message: keys of the docstring
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, ({"v": v} if momentum else {})
