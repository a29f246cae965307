"""exp without a shift.

message: for any c
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    return (ref_logps + q / beta).exp() / (ref_logps + q / beta).exp().sum(-1, keepdim=True)
