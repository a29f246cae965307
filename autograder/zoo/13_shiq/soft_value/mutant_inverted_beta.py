"""beta on the wrong side.

message: wrong side
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return torch.logsumexp(ref_logps + q * beta, -1) / beta
