"""A uniform reference.

message: not uniform
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
        v = soft_value(q, torch.full_like(ref_logps, 1 / ref_logps.shape[1]).log(), beta)
        new = r + gamma * torch.where(done, 0.0, v[next_state])
        if torch.equal(new, q):
            return new
        q = new
