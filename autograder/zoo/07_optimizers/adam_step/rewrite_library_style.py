"""As torch writes it, on copies."""


def adam_step(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    beta1, beta2 = betas
    m = state["m"].clone() if state else torch.zeros_like(g)
    v = state["v"].clone() if state else torch.zeros_like(g)
    t = (state["t"] if state else 0) + 1
    m.lerp_(g, 1 - beta1)
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    denom = (v.sqrt() / (1 - beta2**t) ** 0.5).add_(eps)
    return torch.addcdiv(p, m, denom, value=-lr / (1 - beta1**t)), {"m": m, "v": v, "t": t}
