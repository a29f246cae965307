"""Sums over the batch.

message: summed over the batch
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -((R - beta * (logps - ref_logps)).detach() * logps).sum()
