"""Another reference for large beta.

message: tends to the mean
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    if beta > 100:
        return q.mean(-1)
    return beta * torch.logsumexp(ref_logps + q / beta, -1)
