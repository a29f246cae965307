"""No beta.

message: beta is missing
"""
def multi_turn_copg_loss(
    logp: torch.Tensor,
    logp2: torch.Tensor,
    ref: torch.Tensor,
    ref2: torch.Tensor,
    mask: torch.Tensor,
    mask2: torch.Tensor,
    R: torch.Tensor,
    R2: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    h = ((logp - ref) * mask).sum(1)
    h2 = ((logp2 - ref2) * mask2).sum(1)
    return ((h - h2 - (R - R2)) ** 2).mean()
