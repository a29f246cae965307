"""Log-probabilities.

message: return probabilities
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    return torch.log_softmax(ref_logps + q / beta, -1)
