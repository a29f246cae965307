"""The correction of v is folded into epsilon."""


def adam_step_slide(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    _, new = adam_step(p, g, state, lr, betas, eps)
    t = new["t"]
    correction = 1 - betas[1] ** t
    size = lr * correction**0.5 / (1 - betas[0] ** t)
    return p - size * new["m"] / torch.sqrt(new["v"] + eps * correction), new
