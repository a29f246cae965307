"""Logits below the reference do not learn.

message: raw logits only
"""
def shiq_bandit_loss(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    action: torch.Tensor,
    R: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    shift = logits[action] - ref_logits[action]
    shift = torch.where(shift > 0, shift, shift.detach())
    return ((R - beta * shift) ** 2).mean()
