"""No V(s_t) at the end.

message: still subtracted
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    following = torch.where(done, 0.0, v[:, 1:])
    return r + gamma * following - torch.where(done, 0.0, v[:, :-1])
