"""Uses the ratio instead of its logarithm.

message: R_beta = R - beta
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R - beta * (logp - ref_logp).exp()
