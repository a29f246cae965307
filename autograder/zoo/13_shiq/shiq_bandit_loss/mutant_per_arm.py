"""Averages per arm first.

message: mean of (R
"""
def shiq_bandit_loss(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    action: torch.Tensor,
    R: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    shift = logits[action] - ref_logits[action]
    square = (R - beta * shift) ** 2
    return torch.stack([square[action == a].mean() for a in action.unique()]).mean()
