"""Always float64.

message: dtype
"""
def shiq_bandit_loss(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    action: torch.Tensor,
    R: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    shift = logits[action] - ref_logits[action]
    return ((R.double() - beta * shift.double()) ** 2).mean()
