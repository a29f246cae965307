"""A rate of 0 counts as missing: `lr or 0.02`.

message: a number like others
"""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    lr = lr or 0.02
    buf = g.clone() if buf is None else mu * buf + g
    update = newton_schulz5(g + mu * buf if nesterov else buf)
    return (1 - lr * wd) * p - lr * 0.2 * math.sqrt(max(p.shape)) * update, buf
