"""Everything after the first end is dropped.

message: delta = r
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    following = torch.where(done, 0.0, v[:, 1:])
    over = done.long().cumsum(1) - done.long() > 0
    return torch.where(over, 0.0, r + gamma * following - v[:, :-1])
