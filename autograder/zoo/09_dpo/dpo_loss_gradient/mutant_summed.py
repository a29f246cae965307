"""Sums each derivative over the batch.

message: The shape is not the expected one
"""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    h = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
    pull = (beta * torch.sigmoid(-beta * h) / len(h)).sum()
    return -pull, pull
