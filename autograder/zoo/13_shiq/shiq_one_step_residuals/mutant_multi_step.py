"""The multi-step residuals.

message: multi-step residuals
"""
def shiq_one_step_residuals(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    actions: torch.Tensor,
    rewards: torch.Tensor,
    mask: torch.Tensor,
    beta: float,
    gamma: float = 1.0,
) -> torch.Tensor:
    return shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma)
    index = actions[..., None]
    log_pi = logits.log_softmax(-1).gather(-1, index)[..., 0]
    log_ref = ref_logits.log_softmax(-1).gather(-1, index)[..., 0]
    value = beta * (logits.logsumexp(-1) - ref_logits.logsumexp(-1))
    value = torch.where(mask.bool(), value, 0.0)
    following = torch.cat([value[:, 1:], torch.zeros_like(value[:, :1])], 1)
    residuals = rewards - beta * (log_pi - log_ref) + gamma * following - value
    return torch.where(mask.bool(), residuals, 0.0)
