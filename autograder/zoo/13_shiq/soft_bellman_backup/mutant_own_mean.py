"""The mean of q under pi_*.

message: KL term is missing
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
        v = (torch.softmax(ref_logps + q / beta, -1) * q).sum(-1)
        new = r + gamma * torch.where(done, 0.0, v[next_state])
        if torch.equal(new, q):
            return new
        q = new
