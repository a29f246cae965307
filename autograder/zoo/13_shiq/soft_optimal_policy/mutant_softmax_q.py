"""softmax(q).

message: pi_ref and beta are missing
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    return torch.softmax(q, -1)
