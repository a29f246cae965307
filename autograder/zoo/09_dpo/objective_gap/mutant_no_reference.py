"""pi* without the reference.

message: The reference is missing from pi*
"""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(rewards / beta, -1)
    return beta * torch.xlogy(probs, probs / best).sum(-1)
