"""A hinge loss.

message: -ln sigmoid
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return (1 - chosen_rewards + rejected_rewards).clamp(min=0).mean()
