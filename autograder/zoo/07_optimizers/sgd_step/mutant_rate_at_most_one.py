"""Takes no rate above 1.

message: learning rate changes
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    return p - (lr if lr < 1 else 1) * v, {"v": v}
