"""Adds the pairs.

message: added the pairs
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards - chosen_rewards).sum()
