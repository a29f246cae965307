"""done the wrong way round.

message: turned round
"""
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    following = torch.where(done, v[:, 1:], 0.0)
    return r + gamma * following - v[:, :-1]
