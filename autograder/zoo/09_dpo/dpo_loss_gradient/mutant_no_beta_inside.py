"""sigma without beta.

message: beta is missing inside sigma
"""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    h = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
    pull = beta * torch.sigmoid(-h) / len(h)
    return -pull, pull
