"""Forgets to turn the list round.

message: G_t = sum
"""
def discounted_returns(
    rewards: torch.Tensor, mask: torch.Tensor, gamma: float
) -> torch.Tensor:
    real = torch.where(mask.bool(), rewards, 0.0)
    following = torch.zeros_like(real[:, 0])
    returns = []
    for reward in real.T.flip(0):
        following = reward + gamma * following
        returns.append(following)
    return torch.stack(returns, 1)
