"""Discounts the reward too.

message: next state only
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    following = torch.where(done, 0.0, v[:, 1:])
    return gamma * (r + following) - v[:, :-1]
