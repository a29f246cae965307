"""Detaches the penalty.

message: Do not detach
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R - beta * (logp - ref_logp).detach()
