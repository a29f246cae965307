"""Clamps implicit rewards at 100.

message: without a clamp
"""


def implicit_reward(logp, ref_logp, beta):
    return (beta * (logp - ref_logp)).clamp(-100, 100)
