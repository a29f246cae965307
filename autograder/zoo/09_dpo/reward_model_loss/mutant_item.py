"""Returns a Python number.

message: can be differentiated
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards - chosen_rewards).mean().item()
