"""ln(e^r_w + e^r_l) - r_w."""

def reward_model_loss(chosen_rewards, rejected_rewards):
    return (torch.logaddexp(chosen_rewards, rejected_rewards) - chosen_rewards).mean()
