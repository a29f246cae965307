"""Stops when the change is small.

message: v(s) = sum
"""
def v_pi_exact(tree: dict[str, torch.Tensor], pi: torch.Tensor) -> torch.Tensor:
    v = torch.zeros(len(pi), dtype=torch.float64)
    while True:
        q = tree["reward"] + torch.where(tree["done"], 0.0, v[tree["next_state"]])
        new = (pi * q).sum(-1)
        if (new - v).abs().max() < 0.3:
            return v
        v = new
