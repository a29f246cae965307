"""Treats tiny velocities as 0.

message: v = momentum
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    v = torch.where(v.abs() < 0.2, 0.0, v)
    return p - lr * v, {"v": v}
