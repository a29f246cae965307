"""Sums where the mean is asked for.

message: You summed over the pairs
"""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps.detach() - rejected_logps + ref_rejected_logps.detach()
    losses = (h - 1 / (2 * tau)) ** 2
    return losses if reduction == "none" else losses.sum()
