"""Squares the mean gap.

message: the mean of (gap
"""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps.detach() - rejected_logps + ref_rejected_logps.detach()
    miss = h - 1 / (2 * tau)
    if reduction == "none":
        return miss**2
    if reduction == "sum":
        return (miss**2).sum()
    if reduction == "mean":
        return miss.mean() ** 2
    raise ValueError(reduction)
