"""Ignores `reduction`.

message: one loss per pair
"""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps.detach() - rejected_logps + ref_rejected_logps.detach()
    return ((h - 1 / (2 * tau)) ** 2).mean()
