"""The references of chosen and rejected swapped.

message: the two references are swapped
"""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    h = chosen_logps - ref_rejected_logps.detach() - rejected_logps + ref_chosen_logps.detach()
    losses = -F.logsigmoid(beta * h)
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
