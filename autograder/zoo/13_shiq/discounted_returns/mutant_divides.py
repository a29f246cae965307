"""Divides by gamma^t.

message: gamma = 0
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
    powers = gamma ** torch.arange(rewards.shape[1])
    return ((real * powers).flip(1).cumsum(1).flip(1) / powers).to(rewards.dtype)
