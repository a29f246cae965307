"""gamma is 0.99 by default.

message: by default
"""
def soft_bellman_backup(
    r: torch.Tensor,
    next_state: torch.Tensor,
    done: torch.Tensor,
    ref_logps: torch.Tensor,
    beta: float,
    gamma: float = 0.99,
) -> torch.Tensor:
    q = r
    while True:
        v = soft_value(q, ref_logps, beta)
        new = r + gamma * torch.where(done, 0.0, v[next_state])
        if torch.equal(new, q):
            return new
        q = new
