"""Takes a beta of zero for a missing one.

message: every beta >= 0
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R - (beta or 0.1) * (logp - ref_logp)
