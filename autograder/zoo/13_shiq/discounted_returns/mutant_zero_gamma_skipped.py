"""gamma = 0 is taken for missing.

message: gamma = 0 leaves
"""
def discounted_returns(
    rewards: torch.Tensor, mask: torch.Tensor, gamma: float
) -> torch.Tensor:
    gamma = gamma or 1.0
    real = torch.where(mask.bool(), rewards, 0.0)
    following = torch.zeros_like(real[:, 0])
    returns = []
    for reward in real.T.flip(0):
        following = reward + gamma * following
        returns.append(following)
    return torch.stack(returns[::-1], 1)
