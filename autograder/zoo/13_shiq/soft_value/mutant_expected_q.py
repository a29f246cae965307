"""The mean under pi_*.

message: without its KL term
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return (torch.softmax(ref_logps + q / beta, -1) * q).sum(-1)
