"""The KL gets no gradient.

message: ln(pi / pi_ref) + 1
"""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = torch.xlogy(probs, probs / ref_probs).sum(-1).detach()
    return (probs * rewards).sum(-1) - beta * kl
