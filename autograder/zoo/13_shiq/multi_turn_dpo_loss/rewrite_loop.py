"""Pair by pair with binary cross-entropy."""
def multi_turn_dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, chosen_mask, rejected_mask, beta):
    gaps = []
    for b in range(len(chosen_logps)):
        h = (chosen_logps[b] - ref_chosen_logps[b])[chosen_mask[b].bool()].sum()
        h2 = (rejected_logps[b] - ref_rejected_logps[b])[rejected_mask[b].bool()].sum()
        gaps.append(beta * (h - h2))
    gaps = torch.stack(gaps)
    return torch.nn.functional.binary_cross_entropy_with_logits(gaps, torch.ones_like(gaps))
