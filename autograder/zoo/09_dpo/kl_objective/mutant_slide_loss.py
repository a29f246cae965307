"""The loss -J / beta of the slides.

message: divided by beta and turned the sign
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = torch.xlogy(probs, probs / ref_probs).sum(-1)
    return kl - (probs * rewards).sum(-1) / beta
