"""Other keys.

message: has the keys
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
    q = soft_bellman_backup(
        mdp["reward"], mdp["next_state"], mdp["done"], ref_logps, beta
    )
    value = soft_value(q[0], ref_logps[0], beta)
    mdp["next"] = mdp["next_state"]
    return mdp, soft_optimal_policy(q, ref_logps, beta), float(value)
