"""Lets a gradient into the reference.

message: detach it
"""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
    losses = -F.logsigmoid(beta * h)
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
