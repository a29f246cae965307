"""Ratios of probabilities: they underflow.

message: also where sigma underflows
"""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    ratio_w = chosen_logps.exp() / ref_chosen_logps.detach().exp()
    ratio_l = rejected_logps.exp() / ref_rejected_logps.detach().exp()
    losses = F.softplus(-beta * (ratio_w.log() - ratio_l.log()))
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(losses, reduction)()
    raise ValueError(reduction)
