"""Squeezes away the batch, which a single pair does not survive.

message: one pair in float32
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    gaps = (chosen_rewards - rejected_rewards).squeeze()
    return sum(F.softplus(-gap) for gap in gaps) / len(gaps)
