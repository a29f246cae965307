"""Clamps the gap: badly ranked pairs get no gradient.

message: also where sigma underflows
"""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    h = chosen_logps - ref_chosen_logps.detach() - rejected_logps + ref_rejected_logps.detach()
    losses = F.softplus(-(beta * h).clamp(-30, 30))
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
