"""Averages the result.

message: return one value per completion
"""


def regularized_reward(R, logp, ref_logp, beta):
    return (R - beta * (logp - ref_logp)).mean()
