"""(1/2 - tau h)^2.

message: another scaling
"""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps.detach() - rejected_logps + ref_rejected_logps.detach()
    losses = (0.5 - tau * h) ** 2
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
