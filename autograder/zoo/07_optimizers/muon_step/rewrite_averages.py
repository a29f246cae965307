"""Averages, as torch does."""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    old = torch.zeros_like(g) if buf is None else buf
    buf = torch.lerp(old, g, 1 - mu)
    update = torch.lerp(g, buf, mu) if nesterov else buf
    rows, cols = p.shape
    new = p.mul(1 - lr * wd)
    return new.add(newton_schulz5(update), alpha=-lr * 0.2 * math.sqrt(max(rows, cols))), buf
