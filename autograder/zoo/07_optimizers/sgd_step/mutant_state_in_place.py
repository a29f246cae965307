"""Updates v in place.

message: changed
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = state["v"].mul_(momentum).add_(g) if state else g.clone()
    return p - lr * v, {"v": v}
