"""Time by time, without the unrolled table; the table is assembled afterwards."""
def grid_soft_optimum(kind, beta=1.0):
    world = grid.places(kind)
    r, n, d = world["reward"], world["next_place"], world["done"]
    P = len(r)
    v = torch.zeros(P, dtype=torch.float64)
    ref = torch.full((P, 4), 0.25, dtype=torch.float64).log()
    policies = []
    for _ in range(grid.HORIZON):
        q = r + torch.where(d, 0.0, v[n])
        policies.insert(0, soft_optimal_policy(q, ref, beta))
        v = soft_value(q, ref, beta)
    rewards, nexts, dones = [], [], []
    for t in range(grid.HORIZON):
        rewards.append(r)
        nexts.append((n + P * (t + 1)) % (P * grid.HORIZON))
        dones.append(d if t < grid.HORIZON - 1 else torch.ones_like(d))
    mdp = {"reward": torch.cat(rewards), "next_state": torch.cat(nexts), "done": torch.cat(dones)}
    return mdp, torch.cat(policies), v[0].item()
