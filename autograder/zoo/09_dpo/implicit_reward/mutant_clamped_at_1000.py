"""Clamps the log-ratio at 1000.

message: without a clamp
"""


def implicit_reward(logp, ref, beta):
    return beta * (logp - ref).clamp(-1000, 1000)
