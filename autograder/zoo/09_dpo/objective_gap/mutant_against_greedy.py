"""Compares with the best reward instead of the best J.

message: the regret is 0
"""


def objective_gap(probs, ref_probs, rewards, beta):
    kl = torch.xlogy(probs, probs / ref_probs).sum(-1)
    return rewards.max(-1).values - (probs * rewards).sum(-1) + beta * kl
