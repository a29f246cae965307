"""The student's v_pi_exact on other rewards."""
def evaluate_policy_kl(mdp, pi, ref, beta):
    safe_pi = torch.where(pi > 0, pi, torch.ones_like(pi))
    safe_ref = torch.where(pi > 0, ref, torch.ones_like(ref))
    reward = mdp["reward"] - beta * (safe_pi / safe_ref).log()
    return v_pi_exact({**mdp, "reward": reward}, pi)
