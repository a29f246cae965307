"""Puts a floor of 0.01 under beta.

message: no floor
"""


def optimal_policy(ref, r, beta):
    return torch.softmax(ref.log() + r / max(beta, 1e-2), -1)
