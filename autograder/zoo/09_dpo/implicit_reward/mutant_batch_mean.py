"""Averages over the completions.

message: The shape is not the expected one
"""


def implicit_reward(logp, ref_logp, beta):
    return beta * (logp - ref_logp).mean()
