"""gamma is not passed on.

message: gamma is not passed on
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
        logits, ref_logits, actions, rewards, mask, beta
    )
    return (residuals**2).sum(1).mean()
