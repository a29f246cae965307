"""Powers of beta through its logarithm, which 0 does not have.

message: raised
"""


def adam_step(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    b1, b2 = betas
    t = state["t"] + 1 if state else 1
    m = b1 * (state["m"] if state else torch.zeros_like(p)) + (1 - b1) * g
    v = b2 * (state["v"] if state else torch.zeros_like(p)) + (1 - b2) * g**2
    c1 = 1 - math.exp(t * math.log(b1))
    c2 = 1 - math.exp(t * math.log(b2))
    return p - lr * (m / c1) / ((v / c2).sqrt() + eps), {"m": m, "v": v, "t": t}
