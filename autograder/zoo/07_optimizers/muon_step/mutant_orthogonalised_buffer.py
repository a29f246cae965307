"""Orthogonalises the gradient, then averages.

message: Orthogonalise g + mu
"""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    o = newton_schulz5(g)
    buf = o if buf is None else mu * buf + (1 - mu) * o
    update = o * (1 - mu) + mu * buf if nesterov else buf
    scale = 0.2 * max(p.shape) ** 0.5
    return (1 - lr * wd) * p - lr * scale * update, buf
