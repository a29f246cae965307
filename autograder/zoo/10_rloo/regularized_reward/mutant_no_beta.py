"""Forgets beta.

message: forgot beta
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R - (logp - ref_logp)
