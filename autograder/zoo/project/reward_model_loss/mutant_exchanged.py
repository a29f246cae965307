"""Prefers the rejected text.

message: exchanged
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(chosen_rewards - rejected_rewards).mean()
