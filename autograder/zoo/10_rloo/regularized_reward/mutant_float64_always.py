"""Converts to float64.

message: dtype of R
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R.double() - beta * (logp.double() - ref_logp.double())
