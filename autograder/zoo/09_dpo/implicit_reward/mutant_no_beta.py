"""Forgets beta.

message: The factor beta is missing
"""


def implicit_reward(logp, ref_logp, beta):
    return logp - ref_logp
