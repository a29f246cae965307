"""Returns the weight only.

message: Return the tuple
"""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    buf = g.clone() if buf is None else mu * buf + g
    update = newton_schulz5(g + mu * buf if nesterov else buf)
    scale = 0.2 * max(p.shape) ** 0.5
    return (1 - lr * wd) * p - lr * scale * update
