"""One round.

message: v(s) = sum
"""
def evaluate_policy_kl(
    mdp: dict[str, torch.Tensor], pi: torch.Tensor, ref: torch.Tensor, beta: float
) -> torch.Tensor:
    taken = pi > 0
    log_ratio = torch.where(taken, pi, 1.0).log() - torch.where(taken, ref, 1.0).log()
    paid = mdp["reward"] - beta * log_ratio
    v = torch.zeros(len(pi), dtype=torch.float64)
    while True:
        new = (pi * (paid + torch.where(mdp["done"], 0.0, v[mdp["next_state"]]))).sum(-1)
        return new
