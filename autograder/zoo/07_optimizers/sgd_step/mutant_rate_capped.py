"""Caps the learning rate at .2.

message: agree with torch.optim.SGD
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    lr = min(lr, 0.2)
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
