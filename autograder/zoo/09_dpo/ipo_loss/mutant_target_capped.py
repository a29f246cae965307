"""Caps the target at 100.

message: no cap
"""


def ipo_loss(a, b, c, d, tau, reduction="mean"):
    t = min(1 / (2 * tau), 100.0)
    loss = (a - c.detach() - b + d.detach() - t) ** 2
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(reduction)
    return loss if reduction == "none" else getattr(loss, reduction)()
