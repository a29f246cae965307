"""A two-way classification."""

def reward_model_loss(chosen_rewards, rejected_rewards):
    both = torch.stack([chosen_rewards, rejected_rewards], 1)
    return F.cross_entropy(both, torch.zeros(len(both), dtype=torch.long))
