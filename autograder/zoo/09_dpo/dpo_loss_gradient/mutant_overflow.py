"""e^-z / (1 + e^-z) overflows.

message: overflows, use torch.sigmoid
"""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    z = beta * (chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps)
    pull = beta * torch.exp(-z) / (1 + torch.exp(-z)) / len(z)
    return -pull, pull
