"""Through numpy."""


def adam_step_slide(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    grad, t = g.numpy(), state.get("t", 0) + 1
    m = betas[0] * (state["m"].numpy() if state else 0) + (1 - betas[0]) * grad
    v = betas[1] * (state["v"].numpy() if state else 0) + (1 - betas[1]) * grad**2
    step = lr * (m / (1 - betas[0] ** t)) / np.sqrt(v / (1 - betas[1] ** t) + eps)

    def back(x):
        return torch.from_numpy(np.asarray(x)).to(p.dtype)

    return p - back(step), {"m": back(m), "v": back(v), "t": t}
