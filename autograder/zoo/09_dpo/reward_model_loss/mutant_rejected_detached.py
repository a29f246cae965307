"""Only the chosen reward gets a gradient.

message: both must get a gradient
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards.detach() - chosen_rewards).mean()
