"""Returns a Python float.

message: tensor
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards - chosen_rewards).mean().item()
