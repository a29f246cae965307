"""Starts from zeros."""


def sgd_step(p, g, state, lr, momentum=0.0):
    old = state.get("v", torch.zeros_like(p))
    v = old.mul(momentum).add(g)
    return p - lr * v, {"v": v}
