"""Sums over the prompts too.

message: one value per prompt
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = torch.xlogy(probs, probs / ref_probs).sum()
    return (probs * rewards).sum() - beta * kl
