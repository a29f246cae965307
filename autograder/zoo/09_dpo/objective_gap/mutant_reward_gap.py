"""The gap of rewards alone.

message: left out the KL terms
"""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(ref_probs.log() + rewards / beta, -1)
    return ((best - probs) * rewards).sum(-1)
