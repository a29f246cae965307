"""Solves (I - P) v = r - beta KL."""
def evaluate_policy_kl(mdp, pi, ref, beta):
    S, A = pi.shape
    P = torch.zeros(S, S, dtype=torch.float64)
    for s in range(S):
        for a in range(A):
            if not mdp["done"][s, a]:
                P[s, mdp["next_state"][s, a]] += pi[s, a]
    kl = torch.nan_to_num(pi * (pi / ref).log(), nan=0.0).sum(1)
    return torch.linalg.solve(torch.eye(S, dtype=torch.float64) - P, (pi * mdp["reward"]).sum(1) - beta * kl)
