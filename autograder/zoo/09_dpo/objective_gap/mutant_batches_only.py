"""Sums over dimension 1: a single prompt raises an error.

message: Your code raised IndexError
"""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(ref_probs.log() + rewards / beta, -1)
    return beta * torch.xlogy(probs, probs / best).sum(1)
