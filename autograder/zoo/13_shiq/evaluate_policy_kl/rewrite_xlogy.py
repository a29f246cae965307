"""xlogy, state by state."""
def evaluate_policy_kl(mdp, pi, ref, beta):
    v = torch.zeros(len(pi), dtype=torch.float64)
    for s in reversed(range(len(pi))):
        after = torch.where(mdp["done"][s], torch.zeros(1, dtype=torch.float64), v[mdp["next_state"][s]])
        kl = torch.special.xlogy(pi[s], pi[s]).sum() - torch.special.xlogy(pi[s], ref[s]).sum()
        v[s] = (pi[s] * (mdp["reward"][s] + after)).sum() - beta * kl
    return v
