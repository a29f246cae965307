"""Takes None for "none".

message: Any other reduction raises
"""


def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, reduction="mean"):
    gap = (chosen_logps - ref_chosen_logps.detach()) - (rejected_logps - ref_rejected_logps.detach())
    each = torch.nn.functional.softplus(-beta * gap)
    if reduction is None or reduction == "none":
        return each
    if reduction in ("mean", "sum"):
        return getattr(each, reduction)()
    raise ValueError(reduction)
