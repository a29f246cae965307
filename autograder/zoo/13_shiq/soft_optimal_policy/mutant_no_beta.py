"""No 1 / beta.

message: 1 / beta is missing
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    return torch.softmax(ref_logps + q, -1)
