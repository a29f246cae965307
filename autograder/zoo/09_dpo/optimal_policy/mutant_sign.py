"""Large rewards lose.

message: The sign of R is wrong
"""


def optimal_policy(ref_probs, rewards, beta):
    return torch.softmax(ref_probs.log() - rewards / beta, dim=-1)
