"""Only the chosen log-probability is trained.

message: the opposite for rejected
"""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps.detach() - (rejected_logps - ref_rejected_logps).detach()
    losses = (h - 1 / (2 * tau)) ** 2
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
