"""A least-squares loss towards a gap of one.

message: -ln sigmoid
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return ((chosen_rewards - rejected_rewards - 1) ** 2).mean()
