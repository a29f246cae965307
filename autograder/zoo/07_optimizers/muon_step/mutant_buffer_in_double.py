"""Keeps the buffer in float64.

message: dtype of p
"""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    buf = g.double() if buf is None else mu * buf + g
    update = newton_schulz5((g + mu * buf if nesterov else buf)).to(p.dtype)
    return (1 - lr * wd) * p - lr * 0.2 * math.sqrt(max(p.shape)) * update, buf
