"""Leaves the decay out.

message: left the weight decay out
"""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    buf = g.clone() if buf is None else mu * buf + g
    update = newton_schulz5(g + mu * buf if nesterov else buf)
    scale = 0.2 * max(p.shape) ** 0.5
    return p - lr * scale * update, buf
