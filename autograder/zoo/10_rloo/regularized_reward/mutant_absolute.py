"""Makes the penalty positive.

message: k1, which may be negative
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R - beta * (logp - ref_logp).abs()
