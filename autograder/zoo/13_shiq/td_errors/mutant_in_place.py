"""Overwrites the values.

message: changed
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    v[:, 1:][done] = 0.0
    following = v[:, 1:]
    return r + gamma * following - v[:, :-1]
