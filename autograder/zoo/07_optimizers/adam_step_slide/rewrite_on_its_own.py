"""Does not use adam_step."""


def adam_step_slide(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    t = state.get("t", 0) + 1
    m = (1 - betas[0]) * g + (betas[0] * state["m"] if state else 0)
    v = (1 - betas[1]) * g**2 + (betas[1] * state["v"] if state else 0)
    top, bottom = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - lr * top * torch.rsqrt(bottom + eps), {"m": m, "v": v, "t": t}
