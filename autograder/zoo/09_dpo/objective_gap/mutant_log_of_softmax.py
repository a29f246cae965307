"""Takes the logarithm of an optimum that has underflowed to 0.

message: The optimum underflows
"""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(ref_probs.log() + rewards / beta, -1)
    return beta * (torch.special.xlogy(probs, probs) - torch.special.xlogy(probs, best)).sum(-1)
