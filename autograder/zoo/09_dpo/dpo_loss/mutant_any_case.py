"""Accepts reductions in capital letters.

message: Any other reduction raises
"""


def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, reduction="mean"):
    gap = (chosen_logps - ref_chosen_logps.detach()) - (rejected_logps - ref_rejected_logps.detach())
    each = torch.nn.functional.softplus(-beta * gap)
    kind = str(reduction).lower() if reduction is not None else ""
    if kind == "none":
        return each
    if kind in ("mean", "sum"):
        return getattr(each, kind)()
    raise ValueError(reduction)
