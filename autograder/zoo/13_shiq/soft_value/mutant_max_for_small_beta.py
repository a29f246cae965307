"""A shortcut for small beta.

message: drops out
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    if beta < 0.2:
        return q.max(-1).values
    return beta * torch.logsumexp(ref_logps + q / beta, -1)
