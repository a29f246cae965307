"""Bootstraps after the end.

message: bootstrap after the end
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    following = v[:, 1:]
    return r + gamma * following - v[:, :-1]
