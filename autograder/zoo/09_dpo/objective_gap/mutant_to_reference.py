"""KL to the reference.

message: KL to the reference
"""


def objective_gap(probs, ref_probs, rewards, beta):
    return beta * torch.xlogy(probs, probs / ref_probs).sum(-1)
