"""Clamps the coefficient at 100.

message: clip neither
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    w = (R - beta * (logps - ref_logps)).detach().clamp(-100, 100)
    return -(w * logps).mean()
