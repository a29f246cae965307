"""pi_ref is missing.

message: pi_ref is missing
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * torch.logsumexp(q / beta, -1)
