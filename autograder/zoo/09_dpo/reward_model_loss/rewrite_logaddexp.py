"""ln(e^0 + e^-gap)."""


def reward_model_loss(chosen_rewards, rejected_rewards):
    gap = chosen_rewards - rejected_rewards
    return torch.logaddexp(torch.zeros_like(gap), -gap).mean()
