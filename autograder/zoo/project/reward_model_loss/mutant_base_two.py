"""Counts in bits.

message: nats
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.softplus(rejected_rewards - chosen_rewards).mean() / torch.log(torch.tensor(2.0, dtype=chosen_rewards.dtype))
