"""Always float64.

message: dtype
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * torch.logsumexp(ref_logps.double() + q / beta, -1)
