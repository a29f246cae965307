"""Takes Nesterov's step.

message: Nesterov's step
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * (g + momentum * v), {"v": v}
