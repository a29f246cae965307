"""As a two-class classifier."""


def reward_model_loss(chosen_rewards, rejected_rewards):
    logits = torch.stack([chosen_rewards, rejected_rewards], dim=1)
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))
