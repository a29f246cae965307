"""Takes the logarithm of a probability that underflows.

message: stable form
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return -torch.sigmoid(chosen_rewards - rejected_rewards).log().mean()
