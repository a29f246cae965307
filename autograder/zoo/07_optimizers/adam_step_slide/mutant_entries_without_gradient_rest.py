"""Entries with a gradient of 0 do not move, whatever came before.

message: A gradient of 0 is a gradient
"""


def adam_step_slide(p, g, state, lr, betas=(0.9, 0.999), eps=1e-8):
    _, new = adam_step(p, g, state, lr, betas, eps)
    m_hat = new["m"] / (1 - betas[0] ** new["t"])
    v_hat = new["v"] / (1 - betas[1] ** new["t"])
    return torch.where(g == 0, p, p - lr * m_hat / (v_hat + eps).sqrt()), new
