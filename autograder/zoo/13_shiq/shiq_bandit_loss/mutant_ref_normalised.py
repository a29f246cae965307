"""Normalises the reference.

message: mean of (R
"""
def shiq_bandit_loss(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    action: torch.Tensor,
    R: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    shift = logits[action] - ref_logits.log_softmax(0)[action]
    return ((R - beta * shift) ** 2).mean()
