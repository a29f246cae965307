"""Pair by pair, in a Python loop."""

def reward_model_loss(chosen_rewards, rejected_rewards):
    total = 0.0
    for chosen, rejected in zip(chosen_rewards, rejected_rewards):
        total = total + F.softplus(rejected - chosen)
    return total / len(chosen_rewards)
