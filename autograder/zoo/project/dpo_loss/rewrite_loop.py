"""Pair by pair, the larger part of softplus split off by hand."""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    total = 0.0
    for w, l, ref_w, ref_l in zip(chosen_logps, rejected_logps, ref_chosen_logps.detach(), ref_rejected_logps.detach()):
        margin = beta * ((w - ref_w) - (l - ref_l))
        total = total + torch.clamp(-margin, min=0) + torch.log1p(torch.exp(-margin.abs()))
    return total / chosen_logps.numel()
