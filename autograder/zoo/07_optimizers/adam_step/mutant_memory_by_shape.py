"""Keeps the averages outside the state, by the shape of the parameter.

message: share nothing
"""


_M = {}


def adam_step(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    b1, b2 = betas
    key = tuple(p.shape)
    old = _M[key] if state and key in _M else state
    t = old.get("t", 0) + 1
    m = b1 * old.get("m", torch.zeros_like(p)) + (1 - b1) * g
    v = b2 * old.get("v", torch.zeros_like(p)) + (1 - b2) * g * g
    _M[key] = {"m": m, "v": v, "t": t}
    return p - lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps), _M[key]
