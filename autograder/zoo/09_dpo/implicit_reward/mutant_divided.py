"""Divides by beta.

message: do not divide
"""


def implicit_reward(logp, ref_logp, beta):
    return (logp - ref_logp) / beta
