"""Forgets 1/B.

message: The 1/B of the mean is missing
"""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    h = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
    pull = beta * torch.sigmoid(-beta * h)
    return -pull, pull
