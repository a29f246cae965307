"""q minus the maximum, without beta.

message: proportional to
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    return torch.softmax(ref_logps + (q - q.mean(-1, keepdim=True)) / beta ** 2, -1)
