"""Binary cross-entropy with logits."""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    m = (chosen_logps - ref_chosen_logps.detach()) - (rejected_logps - ref_rejected_logps.detach())
    return F.binary_cross_entropy_with_logits(beta * m, torch.ones_like(m))
