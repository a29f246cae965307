"""The +3 every time.

message: +3 is paid once
"""
def grid_soft_optimum(kind, beta=1.0):
    world = grid.places(kind)
    P, T = len(world["done"]), grid.HORIZON
    if kind == "fine":
        reward = world["reward"].clone()
        reward[25:] = reward[:25]
        world = world | {"reward": reward}
    t = torch.arange(T)[:, None, None]
    done = (world["done"] | (t == T - 1)).reshape(-1, 4)
    nxt = (P * (t + 1) + world["next_place"]).reshape(-1, 4)
    mdp = {"reward": world["reward"].repeat(T, 1), "next_state": torch.where(done, 0, nxt), "done": done}
    ref = torch.full_like(mdp["reward"], 0.25).log()
    q = soft_bellman_backup(mdp["reward"], mdp["next_state"], mdp["done"], ref, beta)
    return mdp, soft_optimal_policy(q, ref, beta), float(soft_value(q[0], ref[0], beta))
