"""Pays on leaving the goal.

message: not on leaving
"""
def grid_soft_optimum(kind, beta=1.0):
    world = grid.places(kind)
    P, T = len(world["done"]), grid.HORIZON
    goal, prize = (24, 7.0) if kind == "final" else (14, 4.0)
    reward = torch.zeros_like(world["reward"])
    done = torch.zeros_like(world["done"])
    for place in range(P):
        if place % 25 == goal:
            reward[place], done[place] = prize, True
    t = torch.arange(T)[:, None, None]
    done = (done | (t == T - 1)).reshape(-1, 4)
    nxt = (P * (t + 1) + world["next_place"]).reshape(-1, 4)
    mdp = {"reward": reward.repeat(T, 1), "next_state": torch.where(done, 0, nxt), "done": done}
    ref = torch.full_like(mdp["reward"], 0.25).log()
    q = soft_bellman_backup(mdp["reward"], mdp["next_state"], mdp["done"], ref, beta)
    return mdp, soft_optimal_policy(q, ref, beta), float(soft_value(q[0], ref[0], beta))
