"""Shifts by the maximum of the whole batch.

message: use logsumexp
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * (ref_logps.exp() * ((q - q.max()) / beta).exp()).sum(-1).log() + q.max()
