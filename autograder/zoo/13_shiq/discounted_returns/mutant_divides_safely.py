"""Divides by gamma^t, except for gamma = 0.

message: underflows
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
    if gamma == 0:
        return real
    powers = gamma ** torch.arange(rewards.shape[1], dtype=torch.float64)
    return ((real * powers).flip(1).cumsum(1).flip(1) / powers).to(rewards.dtype)
