"""The mean under the reference.

message: mean under pi_ref
"""
def soft_bellman_backup(
    r: torch.Tensor,
    next_state: torch.Tensor,
    done: torch.Tensor,
    ref_logps: torch.Tensor,
    beta: float,
    gamma: float = 1.0,
) -> torch.Tensor:
    q = r
    while True:
        v = (ref_logps.exp() * q.nan_to_num()).sum(-1)
        new = r + gamma * torch.where(done, 0.0, v[next_state])
        if torch.equal(new, q):
            return new
        q = new
