"""A margin instead of a likelihood.

message: Equal rewards cost ln 2
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return (1 - chosen_rewards + rejected_rewards).clamp_min(0).mean()
