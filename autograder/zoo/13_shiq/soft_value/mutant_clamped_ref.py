"""Clamps ln pi_ref at -20.

message: drops out
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * torch.logsumexp(ref_logps.clamp(min=-20) + q / beta, -1)
