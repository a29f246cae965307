"""As a binary cross-entropy with logits and labels of 1."""


def reward_model_loss(chosen_rewards, rejected_rewards):
    gap = chosen_rewards - rejected_rewards
    return F.binary_cross_entropy_with_logits(gap, torch.ones_like(gap))
