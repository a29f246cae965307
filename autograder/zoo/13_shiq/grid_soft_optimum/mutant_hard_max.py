"""Hard values.

message: hard maximum
"""
def grid_soft_optimum(
    kind: str, beta: float = 1.0
) -> tuple[dict[str, torch.Tensor], torch.Tensor, float]:
    world = grid.places(kind)
    P, T = len(world["done"]), grid.HORIZON
    t = torch.arange(T)[:, None, None]
    done = (world["done"] | (t == T - 1)).reshape(-1, 4)
    next_state = (P * (t + 1) + world["next_place"]).reshape(-1, 4)
    mdp = {
        "reward": world["reward"].repeat(T, 1),
        "next_state": torch.where(done, 0, next_state),
        "done": done,
    }
    ref_logps = torch.full_like(mdp["reward"], 0.25).log()
    q = mdp["reward"]
    for _ in range(T):
        q = mdp["reward"] + torch.where(done, 0.0, q.max(-1).values[mdp["next_state"]])
    value = q[0].max()
    return mdp, soft_optimal_policy(q, ref_logps, beta), float(value)
