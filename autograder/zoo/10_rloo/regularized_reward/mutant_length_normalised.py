"""Divides by the last dimension.

message: divided the log-ratio by a length
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R - beta * (logp - ref_logp) / logp.shape[-1]
