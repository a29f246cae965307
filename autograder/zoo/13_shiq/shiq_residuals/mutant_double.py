"""Always float64.

message: dtype
"""
def shiq_residuals(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    actions: torch.Tensor,
    rewards: torch.Tensor,
    mask: torch.Tensor,
    beta: float,
    gamma: float = 1.0,
) -> torch.Tensor:
    index = actions[..., None]
    log_pi = logits.log_softmax(-1).gather(-1, index)[..., 0]
    log_ref = ref_logits.log_softmax(-1).gather(-1, index)[..., 0]
    value = beta * (logits.logsumexp(-1) - ref_logits.logsumexp(-1))
    returns = discounted_returns(rewards - beta * (log_pi - log_ref), mask, gamma)
    return torch.where(mask.bool(), (returns - value).double(), 0.0)
