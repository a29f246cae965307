"""State by state."""
def grid_soft_optimum(kind, beta=1.0):
    world = grid.places(kind)
    P = len(world["reward"])
    S = P * grid.HORIZON
    mdp = {
        "reward": torch.zeros(S, 4, dtype=torch.float64),
        "next_state": torch.zeros(S, 4, dtype=torch.long),
        "done": torch.zeros(S, 4, dtype=torch.bool),
    }
    for t in range(grid.HORIZON):
        rows = slice(P * t, P * (t + 1))
        mdp["reward"][rows] = world["reward"]
        mdp["done"][rows] = world["done"] | (t + 1 == grid.HORIZON)
        mdp["next_state"][rows] = min(t + 1, grid.HORIZON - 1) * P + world["next_place"]
    ref = torch.full((S, 4), math_log(0.25), dtype=torch.float64)
    q = soft_bellman_backup(**{"r": mdp["reward"], "next_state": mdp["next_state"], "done": mdp["done"]}, ref_logps=ref, beta=beta)
    pi = torch.softmax(q / beta, 1)
    return mdp, pi, beta * float(torch.logsumexp(q[0] / beta + ref[0], 0))


def math_log(x):
    import math
    return math.log(x)
