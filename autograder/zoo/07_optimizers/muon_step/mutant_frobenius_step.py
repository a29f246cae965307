"""Normalises instead of orthogonalising.

message: NS5
"""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    buf = g.clone() if buf is None else mu * buf + g
    update = (g + mu * buf if nesterov else buf)
    update = update / update.norm().clamp(min=1e-7) * min(p.shape) ** 0.5
    scale = 0.2 * max(p.shape) ** 0.5
    return (1 - lr * wd) * p - lr * scale * update, buf
