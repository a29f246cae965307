"""Regresses the probability on 1.

message: This is a squared error
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return ((torch.sigmoid(chosen_rewards - rejected_rewards) - 1) ** 2).mean()
