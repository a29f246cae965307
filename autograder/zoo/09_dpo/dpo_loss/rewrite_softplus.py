"""With softplus and a dictionary of reductions."""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    with torch.no_grad():
        ref_gap = ref_chosen_logps - ref_rejected_logps
    losses = F.softplus(beta * (ref_gap - (chosen_logps - rejected_logps)))
    reduce = {"none": lambda x: x, "sum": torch.sum, "mean": torch.mean}
    if reduction not in reduce:
        raise ValueError("reduction must be mean, sum or none")
    return reduce[reduction](losses)
