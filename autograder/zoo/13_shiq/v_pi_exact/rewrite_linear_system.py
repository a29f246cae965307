"""Solves (I - P) v = r."""
def v_pi_exact(tree, pi):
    S, A = pi.shape
    P = torch.zeros(S, S, dtype=torch.float64)
    for a in range(A):
        go = torch.where(tree["done"][:, a], 0.0, pi[:, a])
        P[torch.arange(S), tree["next_state"][:, a]] += go
    r = (pi * tree["reward"]).sum(1)
    return torch.linalg.solve(torch.eye(S, dtype=torch.float64) - P, r)
