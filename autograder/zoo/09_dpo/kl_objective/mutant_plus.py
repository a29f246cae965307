"""Adds the KL.

message: The KL is a price
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = torch.xlogy(probs, probs / ref_probs).sum(-1)
    return (probs * rewards).sum(-1) + beta * kl
