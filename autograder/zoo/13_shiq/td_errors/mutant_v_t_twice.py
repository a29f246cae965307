"""Uses V(s_t) twice.

message: used twice
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    following = torch.where(done, 0.0, v[:, :-1])
    return r + gamma * following - v[:, :-1]
