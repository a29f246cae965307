"""Single precision.

message: dtype
"""
def v_pi_exact(tree: dict[str, torch.Tensor], pi: torch.Tensor) -> torch.Tensor:
    v = torch.zeros(len(pi), dtype=torch.float64)
    while True:
        q = tree["reward"] + torch.where(tree["done"], 0.0, v[tree["next_state"]])
        new = (pi * q).sum(-1)
        if torch.equal(new, v):
            return v.float()
        v = new
