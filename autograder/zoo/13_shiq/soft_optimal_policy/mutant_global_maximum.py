"""Shifts by the maximum of the whole batch.

message: for any c
"""
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    weight = (ref_logps + (q - q.max()) / beta).exp()
    return weight / weight.sum(-1, keepdim=True)
