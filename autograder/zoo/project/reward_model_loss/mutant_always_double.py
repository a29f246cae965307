"""Computes and returns float64.

message: Keep the dtype
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards.double() - chosen_rewards.double()).mean()
