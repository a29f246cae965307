"""Replaces nan but not infinity.

message: nan included
"""
def discounted_returns(
    rewards: torch.Tensor, mask: torch.Tensor, gamma: float
) -> torch.Tensor:
    real = torch.nan_to_num(rewards, nan=0.0, posinf=float('inf'), neginf=float('-inf')) * mask
    following = torch.zeros_like(real[:, 0])
    returns = []
    for reward in real.T.flip(0):
        following = reward + gamma * following
        returns.append(following)
    return torch.stack(returns[::-1], 1)
