"""Hats by powers of the betas that are recomputed with exp."""


def adam_step(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    t = 1 + (state["t"] if "t" in state else 0)
    m, v = (1 - betas[0]) * g, (1 - betas[1]) * g.pow(2)
    if state:
        m, v = m + betas[0] * state["m"], v + betas[1] * state["v"]
    first, second = (-math.expm1(t * math.log(beta)) if beta else 1.0 for beta in betas)
    step = (m / first) / (torch.sqrt(v / second) + eps)
    return p.sub(step, alpha=lr), dict(m=m, v=v, t=t)
