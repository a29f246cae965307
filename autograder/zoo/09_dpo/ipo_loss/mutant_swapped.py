"""Chosen and rejected swapped.

message: swapped chosen and rejected
"""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    h = rejected_logps - ref_rejected_logps.detach() - chosen_logps + ref_chosen_logps.detach()
    losses = (h - 1 / (2 * tau)) ** 2
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
