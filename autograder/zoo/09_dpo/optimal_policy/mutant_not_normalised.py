"""Forgets Z.

message: divide by Z
"""


def optimal_policy(ref_probs, rewards, beta):
    return ref_probs * (rewards / beta).exp()
