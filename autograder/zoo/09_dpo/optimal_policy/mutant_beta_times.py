"""e^(beta R).

message: R is divided by beta
"""


def optimal_policy(ref_probs, rewards, beta):
    return torch.softmax(ref_probs.log() + beta * rewards, dim=-1)
