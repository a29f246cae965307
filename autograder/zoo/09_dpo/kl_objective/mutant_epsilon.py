"""An epsilon in the logarithm.

message: epsilon
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = (probs * ((probs + 1e-6) / ref_probs).log()).sum(-1)
    return (probs * rewards).sum(-1) - beta * kl
