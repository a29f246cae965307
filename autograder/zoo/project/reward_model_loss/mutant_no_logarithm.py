"""Averages the probabilities.

message: without a logarithm
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return -torch.sigmoid(chosen_rewards - rejected_rewards).mean()
