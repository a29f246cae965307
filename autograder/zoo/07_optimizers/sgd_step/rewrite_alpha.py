"""With torch.add and its alpha."""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + g if state else g.clone()
    return torch.add(p, v, alpha=-lr), {"v": v}
