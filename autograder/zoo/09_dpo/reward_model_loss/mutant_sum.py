"""Sums over the pairs.

message: take the mean
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards - chosen_rewards).sum()
