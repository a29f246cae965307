"""KL(pi_ref || pi).

message: KL(pi_ref || pi)
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = (ref_probs * (ref_probs / probs).log()).sum(-1)
    return (probs * rewards).sum(-1) - beta * kl
