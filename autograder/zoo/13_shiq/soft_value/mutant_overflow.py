"""exp and log.

message: use logsumexp
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * (ref_logps.exp() * (q / beta).exp()).sum(-1).log()
