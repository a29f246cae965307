"""The return is a Monte-Carlo target.

message: log-ratio is detached
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
    value = beta * (logits.logsumexp(-1) - ref_logits.logsumexp(-1)) * mask
    return (((residuals + value).detach() - value) ** 2).sum(1).mean()
