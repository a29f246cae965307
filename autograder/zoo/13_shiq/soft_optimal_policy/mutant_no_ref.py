"""softmax(q / beta).

message: pi_ref is missing
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    return torch.softmax(q / beta, -1)
