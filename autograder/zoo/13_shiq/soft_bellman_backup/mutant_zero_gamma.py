"""gamma = 0 is taken for missing.

message: q(s, a) = r
"""
def soft_bellman_backup(
    r: torch.Tensor,
    next_state: torch.Tensor,
    done: torch.Tensor,
    ref_logps: torch.Tensor,
    beta: float,
    gamma: float = 1.0,
) -> torch.Tensor:
    q, gamma = r, gamma or 1.0
    while True:
        v = soft_value(q, ref_logps, beta)
        new = r + gamma * torch.where(done, 0.0, v[next_state])
        if torch.equal(new, q):
            return new
        q = new
