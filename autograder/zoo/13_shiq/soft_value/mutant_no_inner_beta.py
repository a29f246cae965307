"""No 1 / beta inside.

message: inside is missing
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * torch.logsumexp(ref_logps + q, -1)
