"""The value by evaluating the policy."""
def grid_soft_optimum(kind, beta=1.0):
    world = grid.places(kind)
    P, T = world["done"].shape[0], grid.HORIZON
    time = torch.arange(T).repeat_interleave(P)
    done = world["done"].repeat(T, 1) | (time == T - 1)[:, None]
    following = world["next_place"].repeat(T, 1) + P * (time + 1)[:, None]
    following[done] = 7
    mdp = {"done": done, "next_state": following, "reward": world["reward"].repeat(T, 1)}
    uniform = torch.ones(P * T, 4, dtype=torch.float64) / 4
    q = soft_bellman_backup(mdp["reward"], following, done, uniform.log(), beta, 1.0)
    pi = soft_optimal_policy(q, uniform.log(), beta)
    return mdp, pi, float(evaluate_policy_kl(mdp, pi, uniform, beta)[0])
