"""Assumes two dimensions.

message: one state without a batch
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    return torch.softmax(ref_logps + q / beta, 1)
