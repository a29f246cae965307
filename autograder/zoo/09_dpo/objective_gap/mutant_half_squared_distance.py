"""The quadratic approximation of the KL.

message: beta * KL(pi || pi*)
"""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(ref_probs.log() + rewards / beta, -1)
    return 0.5 * beta * ((probs - best) ** 2 / best).sum(-1)
