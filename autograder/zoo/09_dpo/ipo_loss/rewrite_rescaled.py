"""CoPG's scaling of the same loss, divided by tau squared."""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(reduction)
    chosen = implicit_reward(chosen_logps, ref_chosen_logps.detach(), tau)
    rejected = implicit_reward(rejected_logps, ref_rejected_logps.detach(), tau)
    losses = (0.5 - (chosen - rejected)).square() / tau**2
    return losses if reduction == "none" else getattr(torch, reduction)(losses)
