"""A uniform reference.

message: beta ln sum_a
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * (torch.logsumexp(q / beta, -1) - torch.tensor(float(q.shape[-1])).log()).to(q.dtype)
