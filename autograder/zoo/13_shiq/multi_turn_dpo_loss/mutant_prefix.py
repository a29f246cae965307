"""Takes the masks for lengths.

message: masked sum
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
    chosen_mask = torch.arange(chosen_mask.shape[1]) < chosen_mask.sum(1, keepdim=True)
    rejected_mask = torch.arange(rejected_mask.shape[1]) < rejected_mask.sum(1, keepdim=True)
    chosen = ((chosen_logps - ref_chosen_logps) * chosen_mask).sum(1)
    rejected = ((rejected_logps - ref_rejected_logps) * rejected_mask).sum(1)
    return -torch.nn.functional.logsigmoid(beta * (chosen - rejected)).mean()
