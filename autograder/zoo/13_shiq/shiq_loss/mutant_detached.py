"""Detached.

message: A tensor was expected
"""
def shiq_loss(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    actions: torch.Tensor,
    rewards: torch.Tensor,
    mask: torch.Tensor,
    beta: float,
    gamma: float = 1.0,
) -> torch.Tensor:
    residuals = shiq_residuals(
        logits, ref_logits, actions, rewards, mask, beta, gamma
    )
    return (residuals.detach() ** 2).sum(1).mean()
