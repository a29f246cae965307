"""Everything under no_grad.

message: No gradient reaches
"""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    with torch.no_grad():
        h = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
        losses = F.softplus(-beta * h)
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
