"""The KL of the step instead of the log-ratio of the action.

message: over the real steps
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
    log_pi = (logits.softmax(-1) * logits.log_softmax(-1)).sum(-1)
    log_ref = (logits.softmax(-1) * ref_logits.log_softmax(-1)).sum(-1)
    value = beta * (logits.logsumexp(-1) - ref_logits.logsumexp(-1))
    returns = discounted_returns(rewards - beta * (log_pi - log_ref), mask, gamma)
    return torch.where(mask.bool(), returns - value, 0.0)
