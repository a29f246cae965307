"""Forgets beta.

message: beta multiplies the KL
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = torch.xlogy(probs, probs / ref_probs).sum(-1)
    return (probs * rewards).sum(-1) - kl
