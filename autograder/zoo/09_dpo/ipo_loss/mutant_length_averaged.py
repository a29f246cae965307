"""Divides the log-ratios by a length, guessed from the batch.

message: sums over tokens
"""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    n = len(chosen_logps)
    h = (chosen_logps - ref_chosen_logps.detach()) / n - (rejected_logps - ref_rejected_logps.detach()) / n
    losses = (h - 1 / (2 * tau)) ** 2
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
