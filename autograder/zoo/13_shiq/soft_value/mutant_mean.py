"""The mean.

message: mean under pi_ref
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return (ref_logps.exp() * q).sum(-1)
