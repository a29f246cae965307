"""logaddexp(0, -x)."""
def multi_turn_dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, chosen_mask, rejected_mask, beta):
    def implicit(logps, ref, mask):
        return beta * ((logps - ref) * mask.to(logps.dtype)).sum(1)

    margin = implicit(chosen_logps, ref_chosen_logps, chosen_mask) - implicit(
        rejected_logps, ref_rejected_logps, rejected_mask
    )
    return torch.logaddexp(torch.zeros_like(margin), -margin).mean()
