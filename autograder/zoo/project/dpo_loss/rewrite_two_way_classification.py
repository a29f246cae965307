"""Cross-entropy of two implicit rewards."""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    r = beta * torch.stack([chosen_logps - ref_chosen_logps.detach(), rejected_logps - ref_rejected_logps.detach()], 1)
    return F.cross_entropy(r, torch.zeros(len(r), dtype=torch.long))
