"""Keeps the buffer outside, by the shape of the weight.

message: each weight has its own
"""


_B = {}


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    key = tuple(p.shape)
    if buf is None:
        _B.pop(key, None)
    buf = mu * _B[key] + g if key in _B else (g.clone() if buf is None else mu * buf + g)
    _B[key] = buf
    update = newton_schulz5(g + mu * buf if nesterov else buf)
    return (1 - lr * wd) * p - lr * 0.2 * math.sqrt(max(p.shape)) * update, buf
