"""A second beta of 0 counts as missing.

message: the default in place of a 0
"""


def adam_step(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    b1, b2 = betas[0], betas[1] or 0.999
    t = state["t"] + 1 if state else 1
    m = b1 * (state["m"] if state else torch.zeros_like(p)) + (1 - b1) * g
    v = b2 * (state["v"] if state else torch.zeros_like(p)) + (1 - b2) * g**2
    return p - lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps), {"m": m, "v": v, "t": t}
