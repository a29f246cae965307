"""Means over the completions in place of sums.

message: J = E_pi[R]
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = torch.xlogy(probs, probs / ref_probs).mean(-1)
    return (probs * rewards).mean(-1) - beta * kl
