"""Clamps q / beta.

message: use logsumexp
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * torch.logsumexp(ref_logps + (q / beta).clamp(-500, 500), -1)
