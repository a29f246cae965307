"""Caps beta at 5.

message: count in full
"""


def implicit_reward(logp, ref, beta):
    return min(beta, 5.0) * (logp - ref)
