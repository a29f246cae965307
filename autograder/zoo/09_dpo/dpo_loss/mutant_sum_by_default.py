"""Sums where the mean is asked for.

message: You summed over the pairs
"""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps.detach() - rejected_logps + ref_rejected_logps.detach()
    losses = F.softplus(-beta * h)
    return losses if reduction == "none" else losses.sum()
