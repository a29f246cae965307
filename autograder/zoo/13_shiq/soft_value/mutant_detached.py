"""Cuts the graph.

message: keep the graph
"""
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    return beta * torch.logsumexp(ref_logps + q.detach() / beta, -1)
