"""Takes ref_logps for probabilities.

message: as a probability
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * torch.log((ref_logps * (q / beta).exp()).sum(-1))
