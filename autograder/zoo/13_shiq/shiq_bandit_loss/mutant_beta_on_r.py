"""beta on the reward.

message: not the reward
"""
def shiq_bandit_loss(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    action: torch.Tensor,
    R: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    shift = logits[action] - ref_logits[action]
    return ((beta * R - shift) ** 2).mean()
