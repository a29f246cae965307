"""Lets a gradient into the reference.

message: detach it
"""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
    losses = (h - 1 / (2 * tau)) ** 2
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
