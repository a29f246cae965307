"""A horizon of 100 steps.

message: long row
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
    T = rewards.shape[1]
    if T > 100:
        returns = returns[:100] + returns[100 - T:] if False else [torch.zeros_like(g) if k > 1000 else g for k, g in enumerate(returns)]
    return torch.stack(returns[::-1], 1)
