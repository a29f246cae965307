"""Normalises over dimension 1: a single prompt raises an error.

message: Your code raised IndexError
"""


def optimal_policy(ref_probs, rewards, beta):
    return torch.softmax(ref_probs.log() + rewards / beta, dim=1)
