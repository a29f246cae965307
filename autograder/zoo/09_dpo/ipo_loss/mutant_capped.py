"""Caps the loss of a pair far from the target.

message: without a cap
"""


def ipo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, tau, reduction="mean"):
    gap = (chosen_logps - ref_chosen_logps.detach()) - (rejected_logps - ref_rejected_logps.detach())
    each = (gap - 1 / (2 * tau)).clamp(-20 / tau, 20 / tau) ** 2
    if reduction == "none":
        return each
    if reduction in ("mean", "sum"):
        return getattr(each, reduction)()
    raise ValueError(reduction)
