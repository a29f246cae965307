"""0 * ln 0 is nan.

message: 0 ln 0 = 0
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = (probs * (probs / ref_probs).log()).sum(-1)
    return (probs * rewards).sum(-1) - beta * kl
