"""Subtracts the mean penalty of the batch.

message: pays its own
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R - beta * (logp - ref_logp).mean()
