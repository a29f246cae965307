"""Bootstraps after the end.

message: v = 0 after the end
"""
def evaluate_policy_kl(
    mdp: dict[str, torch.Tensor], pi: torch.Tensor, ref: torch.Tensor, beta: float
) -> torch.Tensor:
    taken = pi > 0
    log_ratio = torch.where(taken, pi, 1.0).log() - torch.where(taken, ref, 1.0).log()
    paid = mdp["reward"] - beta * log_ratio
    v = torch.zeros(len(pi), dtype=torch.float64)
    for s in reversed(range(len(pi))):
        v[s] = pi[s] @ (paid[s] + v[mdp["next_state"][s]])
    return v
