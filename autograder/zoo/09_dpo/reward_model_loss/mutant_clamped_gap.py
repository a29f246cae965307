"""Clamps the gap: the slope of badly ranked pairs is lost.

message: use softplus or logsigmoid
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    gap = (chosen_rewards - rejected_rewards).clamp(-50, 50)
    return F.softplus(-gap).mean()
