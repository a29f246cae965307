"""KL(pi* || pi).

message: the KL is taken under pi
"""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(ref_probs.log() + rewards / beta, -1)
    return beta * torch.xlogy(best, best / probs).sum(-1)
