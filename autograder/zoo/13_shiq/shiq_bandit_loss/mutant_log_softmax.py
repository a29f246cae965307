"""Log-probabilities.

message: raw logits
"""
def shiq_bandit_loss(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    action: torch.Tensor,
    R: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    shift = (logits.log_softmax(0) - ref_logits.log_softmax(0))[action]
    return ((R - beta * shift) ** 2).mean()
