"""Differences of policies minus differences of references, without a graph."""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    with torch.no_grad():
        ref = ref_chosen_logps - ref_rejected_logps
    return torch.logaddexp(torch.zeros_like(ref), -beta * (chosen_logps - rejected_logps - ref)).mean()
