"""Sums what came before.

message: what came before
"""
def discounted_returns(
    rewards: torch.Tensor, mask: torch.Tensor, gamma: float
) -> torch.Tensor:
    real = torch.where(mask.bool(), rewards, 0.0)
    following = torch.zeros_like(real[:, 0])
    returns = []
    for reward in real.T:
        following = reward + gamma * following
        returns.append(following)
    return torch.stack(returns, 1) * mask.bool()
