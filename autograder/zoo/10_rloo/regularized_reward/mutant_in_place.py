"""Subtracts in place.

message: in place
"""


def regularized_reward(R, logp, ref_logp, beta):
    R -= beta * (logp - ref_logp)
    return R
