"""Sets the loss to 0 beyond a threshold.

message: never reaches 0
"""


def dpo_loss(a, b, c, d, beta, reduction="mean"):
    z = beta * (a - c.detach() - b + d.detach())
    loss = torch.where(z > 20, torch.zeros_like(z), F.softplus(-z))
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(reduction)
    return loss if reduction == "none" else getattr(loss, reduction)()
