"""Returns the mean for every unknown reduction.

message: raises a ValueError
"""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps.detach() - rejected_logps + ref_rejected_logps.detach()
    losses = F.softplus(-beta * h)
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.mean()
