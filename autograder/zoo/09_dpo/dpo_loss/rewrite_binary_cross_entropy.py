"""torch's binary cross-entropy, which knows the reductions."""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    h = (chosen_logps - rejected_logps) - (ref_chosen_logps - ref_rejected_logps).detach()
    return F.binary_cross_entropy_with_logits(
        beta * h, torch.ones_like(h), reduction=reduction
    )
