"""Forgets the reference.

message: The reference is missing
"""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    pull = beta * torch.sigmoid(-beta * (chosen_logps - rejected_logps)) / len(chosen_logps)
    return -pull, pull
