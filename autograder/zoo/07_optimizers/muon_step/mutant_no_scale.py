"""Does not scale.

message: did not scale
"""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    buf = g.clone() if buf is None else mu * buf + g
    update = newton_schulz5(g + mu * buf if nesterov else buf)
    scale = 1.0
    return (1 - lr * wd) * p - lr * scale * update, buf
