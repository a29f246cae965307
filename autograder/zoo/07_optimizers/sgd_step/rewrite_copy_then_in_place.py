"""In place on its own copies."""


def sgd_step(p, g, state, lr, momentum=0.0):
    new = {key: value.clone() for key, value in state.items()}
    if "v" not in new:
        new["v"] = torch.zeros_like(g)
    new["v"] *= momentum
    new["v"] += g
    p = p.clone()
    p -= lr * new["v"]
    return p, new
