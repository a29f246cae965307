"""0 * ln 0 is nan.

message: 0 ln 0 = 0
"""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(ref_probs.log() + rewards / beta, -1)
    return beta * (probs * (probs / best).log()).sum(-1)
