"""float64 inside, worked out in place on copies of its own."""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    shift = ref_rejected_logps.detach().double().clone()
    shift -= ref_chosen_logps.detach().double()
    margin = chosen_logps.double() - rejected_logps.double() + shift
    return F.softplus(margin.mul(-beta)).mean().to(chosen_logps.dtype)
