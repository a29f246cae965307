"""Keeps the logarithm finite by an epsilon.

message: stable form
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    p = torch.sigmoid(chosen_rewards - rejected_rewards)
    return -(p + 1e-12).log().mean()
