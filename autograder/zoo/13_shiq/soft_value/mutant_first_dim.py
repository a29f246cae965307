"""Sums over the states.

message: beta ln sum_a
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * torch.logsumexp(ref_logps + q / beta, 0)
