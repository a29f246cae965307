"""Adds the buffer to the gradient without mu.

message: without mu
"""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    buf = g.clone() if buf is None else mu * buf + g
    update = newton_schulz5(g + buf if nesterov else buf)
    return (1 - lr * wd) * p - lr * 0.2 * math.sqrt(max(p.shape)) * update, buf
