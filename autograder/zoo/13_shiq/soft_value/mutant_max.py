"""The maximum.

message: the maximum
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return q.max(-1).values
