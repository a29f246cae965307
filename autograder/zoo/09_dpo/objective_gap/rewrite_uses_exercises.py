"""Calls the exercises before."""


def objective_gap(probs, ref_probs, rewards, beta):
    best = optimal_policy(ref_probs, rewards, beta)
    return kl_objective(best, ref_probs, rewards, beta) - kl_objective(
        probs, ref_probs, rewards, beta
    )
