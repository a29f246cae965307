"""softplus, masks by where."""
def multi_turn_dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, chosen_mask, rejected_mask, beta):
    w = torch.where(chosen_mask > 0, chosen_logps - ref_chosen_logps, 0.0).sum(dim=-1)
    l = torch.where(rejected_mask > 0, rejected_logps - ref_rejected_logps, 0.0).sum(dim=-1)
    return torch.nn.functional.softplus(beta * l - beta * w).mean()
