"""Averages over the prompts.

message: one value per prompt
"""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(ref_probs.log() + rewards / beta, -1)
    return beta * torch.xlogy(probs, probs / best).sum(-1).mean()
