"""A momentum of 0 counts as missing: `mu or 0.95`.

message: in place of mu = 0
"""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    mu = mu or 0.95
    buf = g.clone() if buf is None else mu * buf + g
    update = newton_schulz5(g + mu * buf if nesterov else buf)
    return (1 - lr * wd) * p - lr * 0.2 * math.sqrt(max(p.shape)) * update, buf
