"""Returns the derivative in the chosen log-probabilities only.

message: A list or tuple
"""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    h = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
    return -beta * torch.sigmoid(-beta * h) / len(h)
