"""Weights with the probability of the right order.

message: probability of the wrong order
"""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    h = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
    pull = beta * torch.sigmoid(beta * h) / len(h)
    return -pull, pull
