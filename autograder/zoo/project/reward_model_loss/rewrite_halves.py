"""The gap is split at zero before anything is exponentiated; float64 inside."""

def reward_model_loss(chosen_rewards, rejected_rewards):
    gaps = chosen_rewards.double() - rejected_rewards.double()
    zero = torch.zeros_like(gaps)
    up, down = torch.where(gaps > 0, gaps, zero), torch.where(gaps > 0, zero, gaps)
    won, lost = torch.log1p(torch.exp(-up)), torch.log1p(torch.exp(down)) - down
    return torch.where(gaps > 0, won, lost).mean().to(chosen_rewards.dtype)
