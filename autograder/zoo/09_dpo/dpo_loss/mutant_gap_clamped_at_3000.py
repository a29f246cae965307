"""Clamps beta times the gap at 3000.

message: underflows
"""


def dpo_loss(a, b, c, d, beta, reduction="mean"):
    z = beta * (a - c.detach() - b + d.detach())
    loss = F.softplus(-z.clamp(-3000, 3000))
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(reduction)
    return loss if reduction == "none" else getattr(loss, reduction)()
