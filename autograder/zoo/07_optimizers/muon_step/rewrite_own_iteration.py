"""With an iteration of its own, in float32."""


def muon_step(p, g, buf, lr, mu=0.95, wd=0.1, nesterov=True):
    buf = g + (0 if buf is None else mu * buf)
    X = (g + mu * buf if nesterov else buf).float()
    X = X / (X.norm() + 1e-7)
    for _ in range(5):
        A = X @ X.T
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    step = 0.2 * max(p.shape) ** 0.5 * X.to(p.dtype)
    return p - lr * wd * p - lr * step, buf
