"""Does nothing when the whole gradient is 0.

message: A gradient of 0 is a gradient
"""


def adam_step(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    b1, b2 = betas
    if not g.any():
        return p.clone(), state or {"m": torch.zeros_like(p), "v": torch.zeros_like(p), "t": 0}
    t = state["t"] + 1 if state else 1
    m = b1 * (state["m"] if state else torch.zeros_like(p)) + (1 - b1) * g
    v = b2 * (state["v"] if state else torch.zeros_like(p)) + (1 - b2) * g**2
    return p - lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps), {"m": m, "v": v, "t": t}
