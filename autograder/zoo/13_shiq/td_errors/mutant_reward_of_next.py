"""The reward of the next step.

message: delta = r
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    following = torch.where(done, 0.0, v[:, 1:])
    return r.roll(-1, 1) + gamma * following - v[:, :-1]
