"""Returns one loss per pair.

message: The shape is not the expected one
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards - chosen_rewards)
