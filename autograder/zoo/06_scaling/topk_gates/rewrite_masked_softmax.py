"""-inf at the losers, then one softmax."""


def topk_gates(s: torch.Tensor, k: int) -> torch.Tensor:
    masked = torch.full_like(s, -torch.inf)
    chosen = s.topk(k, dim=-1).indices
    masked = masked.scatter(-1, chosen, s.gather(-1, chosen))
    return torch.softmax(masked, dim=-1)
