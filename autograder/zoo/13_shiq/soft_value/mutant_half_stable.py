"""exp of the whole exponent.

message: use logsumexp
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * (ref_logps + q / beta).exp().sum(-1).log()
