"""Never exactly 0.

message: 0 where pi_ref is 0
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    return torch.softmax(ref_logps.clamp(min=-10) + q / beta, -1)
