"""Not normalised.

message: not normalised
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    return (ref_logps + q / beta).exp()
