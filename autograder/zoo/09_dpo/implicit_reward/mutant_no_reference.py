"""Forgets the reference.

message: The reference is missing
"""


def implicit_reward(logp, ref_logp, beta):
    return beta * logp
