"""Does not let beta exceed one.

message: not capped
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R - min(beta, 1.0) * (logp - ref_logp)
