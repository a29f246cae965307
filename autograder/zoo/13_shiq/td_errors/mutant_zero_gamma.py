"""gamma = 0 means no discount.

message: delta = r
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    gamma = gamma or 1.0
    following = torch.where(done, 0.0, v[:, 1:])
    return r + gamma * following - v[:, :-1]
