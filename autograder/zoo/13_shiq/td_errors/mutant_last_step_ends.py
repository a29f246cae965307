"""Takes the last column for an end.

message: delta = r
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    following = torch.where(done, 0.0, v[:, 1:]).clone()
    following[:, -1] = 0.0
    return r + gamma * following - v[:, :-1]
