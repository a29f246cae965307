"""Huber's loss.

message: The sum of delta_t^2
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
    return torch.nn.functional.huber_loss(residuals, torch.zeros_like(residuals), reduction='none').sum(1).mean()
