"""Cuts to the shorter width.

message: shorter width
"""
def multi_turn_dpo_loss(
    chosen_logps: torch.Tensor,
    rejected_logps: torch.Tensor,
    ref_chosen_logps: torch.Tensor,
    ref_rejected_logps: torch.Tensor,
    chosen_mask: torch.Tensor,
    rejected_mask: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    n = min(chosen_logps.shape[1], rejected_logps.shape[1])
    chosen_logps, ref_chosen_logps, chosen_mask = chosen_logps[:, :n], ref_chosen_logps[:, :n], chosen_mask[:, :n]
    rejected_logps, ref_rejected_logps, rejected_mask = rejected_logps[:, :n], ref_rejected_logps[:, :n], rejected_mask[:, :n]
    chosen = ((chosen_logps - ref_chosen_logps) * chosen_mask).sum(1)
    rejected = ((rejected_logps - ref_rejected_logps) * rejected_mask).sum(1)
    return -torch.nn.functional.logsigmoid(beta * (chosen - rejected)).mean()
