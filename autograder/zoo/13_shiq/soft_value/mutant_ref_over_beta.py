"""ln pi_ref is divided by beta.

message: its own 1 / beta
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * torch.logsumexp((ref_logps + q) / beta, -1)
