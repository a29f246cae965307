"""Averages the reward under the reference.

message: not under the reference
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = torch.xlogy(probs, probs / ref_probs).sum(-1)
    return (ref_probs * rewards).sum(-1) - beta * kl
