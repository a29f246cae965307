"""J(pi) - J(pi*).

message: the regret is at least 0
"""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(ref_probs.log() + rewards / beta, -1)
    return -beta * torch.xlogy(probs, probs / best).sum(-1)
