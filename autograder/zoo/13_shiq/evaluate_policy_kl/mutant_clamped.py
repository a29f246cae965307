"""Clamps the probabilities.

message: nothing is clamped
"""
def evaluate_policy_kl(
    mdp: dict[str, torch.Tensor], pi: torch.Tensor, ref: torch.Tensor, beta: float
) -> torch.Tensor:
    taken = pi > 0
    log_ratio = pi.clamp(min=1e-8).log() - ref.clamp(min=1e-8).log()
    paid = mdp["reward"] - beta * log_ratio
    v = torch.zeros(len(pi), dtype=torch.float64)
    while True:
        new = (pi * (paid + torch.where(mdp["done"], 0.0, v[mdp["next_state"]]))).sum(-1)
        if torch.equal(new, v):
            return v
        v = new
