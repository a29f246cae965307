"""Two stable branches, chosen by `where`: the branch not chosen overflows in the gradient.

message: stable form
"""

def reward_model_loss(chosen_rewards, rejected_rewards):
    gaps = chosen_rewards - rejected_rewards
    losing = torch.log1p(torch.exp(gaps)) - gaps
    return torch.where(gaps > 0, torch.log1p(torch.exp(-gaps)), losing).mean()
