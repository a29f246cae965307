"""Averages before the logarithm.

message: logarithm of the mean
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return -torch.sigmoid(chosen_rewards - rejected_rewards).mean().log()
