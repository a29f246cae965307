"""Forgets the factor beta.

message: chain rule
"""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    h = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
    pull = torch.sigmoid(-beta * h) / len(h)
    return -pull, pull
