"""Swaps chosen and rejected.

message: sign of the gap is swapped
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(chosen_rewards - rejected_rewards).mean()
