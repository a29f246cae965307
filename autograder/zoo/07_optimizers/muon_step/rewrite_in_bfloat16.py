"""The iteration in bfloat16."""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    buf = (1 - mu) * g if buf is None else mu * buf + (1 - mu) * g
    update = (1 - mu) * g + mu * buf if nesterov else buf
    X = update.bfloat16()
    X = X.T if X.shape[0] > X.shape[1] else X
    X = X / X.norm().clamp(min=1e-7)
    for _ in range(5):
        A = X @ X.T
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    X = X.T if p.shape[0] > p.shape[1] else X
    return p * (1 - lr * wd) - lr * 0.2 * math.sqrt(max(p.shape)) * X.to(p.dtype), buf
