"""Adds the penalty.

message: wrong sign
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R + beta * (logp - ref_logp)
