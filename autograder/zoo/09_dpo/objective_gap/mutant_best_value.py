"""beta ln Z alone.

message: not the gap
"""


def objective_gap(probs, ref_probs, rewards, beta):
    return beta * torch.logsumexp(ref_probs.log() + rewards / beta, -1)
