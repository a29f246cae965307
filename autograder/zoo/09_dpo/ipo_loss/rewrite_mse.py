"""torch's squared error, which knows the reductions."""


def ipo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    tau, reduction="mean",
):
    h = (chosen_logps - rejected_logps) - (ref_chosen_logps - ref_rejected_logps).detach()
    return F.mse_loss(h, torch.full_like(h, 1 / (2 * tau)), reduction=reduction)
