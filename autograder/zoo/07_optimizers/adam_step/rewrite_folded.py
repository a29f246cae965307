"""The corrections are folded into the step size and into epsilon."""


def adam_step(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    if not state:
        state = {"m": torch.zeros_like(p), "v": torch.zeros_like(p), "t": 0}
    t = state["t"] + 1
    m = torch.lerp(state["m"], g, 1 - betas[0])
    v = betas[1] * state["v"] + (1 - betas[1]) * g.square()
    root = math.sqrt(1 - betas[1] ** t)
    size = lr * root / (1 - betas[0] ** t)
    return p - size * m / (v.sqrt() + eps * root), {"m": m, "v": v, "t": t}
