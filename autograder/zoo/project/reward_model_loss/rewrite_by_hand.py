"""max(x, 0) + log1p(exp(-|x|)), pair by pair."""

def reward_model_loss(chosen_rewards, rejected_rewards):
    total = 0.0
    for w, l in zip(chosen_rewards, rejected_rewards):
        x = l - w
        total = total + F.relu(x) + torch.log1p(torch.exp(-x.abs()))
    return total / len(chosen_rewards)
