"""Divides by B - 1.

message: also in a batch of one pair
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards - chosen_rewards).sum() / (len(chosen_rewards) - 1)
