"""Nothing at the end.

message: At the end the reward
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    following = torch.where(done, 0.0, v[:, 1:])
    return torch.where(done, 0.0, r + gamma * following - v[:, :-1])
