"""State by state from the last."""
def v_pi_exact(tree, pi):
    S, A = pi.shape
    v = torch.zeros(S, dtype=torch.float64)
    for s in range(S - 1, -1, -1):
        for a in range(A):
            after = 0.0 if tree["done"][s, a] else v[tree["next_state"][s, a]]
            v[s] += pi[s, a] * (tree["reward"][s, a] + after)
    return v
