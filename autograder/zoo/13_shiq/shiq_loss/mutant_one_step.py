"""One-step residuals.

message: one-step residuals
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
    residuals = shiq_one_step_residuals(
        logits, ref_logits, actions, rewards, mask, beta, gamma
    )
    return (residuals**2).sum(1).mean()
